from pathlib import Path

import pytest
import yaml

from training.comparison.folder import claim


def test_a_folder_holds_the_runs_of_one_configuration(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    for _ in range(2):
        claim(out, {"seed": 1, "budget": "steps"}, {"budget": "steps"}, "holds another")
    assert yaml.safe_load((out / "config.yaml").read_text()) == {"seed": 1, "budget": "steps"}
    with pytest.raises(ValueError, match=rf"^{out} holds another; take another folder with --out$"):
        claim(out, {"seed": 2, "budget": "steps"}, {}, "holds another")


def test_a_file_that_leaves_a_default_out_means_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    claim(tmp_path, {"seed": 1, "budget": "steps"}, {"budget": "steps"}, "holds another")
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    with pytest.raises(ValueError, match="holds another"):
        claim(tmp_path, {"seed": 1, "budget": "time"}, {"budget": "steps"}, "holds another")
