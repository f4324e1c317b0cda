import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from training.comparison.folder import claimed

HOLD = """
import sys
from pathlib import Path
from training.comparison.folder import claimed

with claimed(Path(sys.argv[1]), {"seed": 1}, {}, "holds another"):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_a_folder_holds_the_runs_of_one_configuration(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    for _ in range(2):
        with claimed(out, {"seed": 1, "budget": "steps"}, {"budget": "steps"}, "holds another"):
            assert yaml.safe_load((out / "config.yaml").read_text()) == {"seed": 1, "budget": "steps"}
    other = claimed(out, {"seed": 2, "budget": "steps"}, {}, "holds another")
    with pytest.raises(ValueError, match=rf"^{out} holds another; take another folder with --out$"), other:
        pass


def test_a_file_that_leaves_a_default_out_means_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    with claimed(tmp_path, {"seed": 1, "budget": "steps"}, {"budget": "steps"}, "holds another"):
        pass
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    other = claimed(tmp_path, {"seed": 1, "budget": "time"}, {"budget": "steps"}, "holds another")
    with pytest.raises(ValueError, match="holds another"), other:
        pass


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        again = claimed(tmp_path, {"seed": 1}, {}, "holds another")
        with (
            pytest.raises(ValueError, match=rf"^{tmp_path}: another process trains in it; wait for it, or take"),
            again,
        ):
            pass
        other.kill()
    with claimed(tmp_path, {"seed": 1}, {}, "holds another"):  # the system let go of it
        pass
