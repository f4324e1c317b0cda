import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from multitask.__main__ import main
from multitask.comparison import budget
from multitask.comparison.budget import measure, steps_in_same_time
from tests.multitask.scenes import write_scenes
from tests.training.programs import MULTITASK
from training import Metrics
from training.comparison.run import Run

SECONDS = {"equal": 0.5, "depth-alone": 0.25, "gradnorm": 0.7, "slow": 1000.0}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is measured; runs of the configuration have 100 steps."""
    names: list[str] = []

    def pretend(run: Run, jobs: int) -> tuple[float, int]:
        names.append(run.name)
        return SECONDS[run.name], 100

    monkeypatch.setattr(budget, "measure", pretend)
    return names


def configs(*names: str) -> dict[str, dict[str, Any]]:
    return {name: {} for name in names}


def test_all_have_the_time_of_equal_weights(
    tmp_path: Path, measured: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    steps = steps_in_same_time(tmp_path, configs(*SECONDS), 1)
    assert steps == {"equal": 100, "depth-alone": 200, "gradnorm": 71, "slow": 1}  # 50 seconds each; at least a step
    assert capsys.readouterr().out.splitlines()[1] == "depth-alone: 0.25 seconds a step, 200 steps"
    kept = yaml.safe_load((tmp_path / "steps.yaml").read_text())
    assert kept["gradnorm"] == {"seconds": 0.7, "steps": 71}


def test_what_was_measured_is_not_measured_again(
    tmp_path: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = steps_in_same_time(tmp_path, configs("equal", "gradnorm"), 1)
    monkeypatch.setitem(SECONDS, "gradnorm", 0.1)
    assert steps_in_same_time(tmp_path, configs("equal", "gradnorm", "slow"), 1) == before | {"slow": 1}
    assert measured == ["equal", "gradnorm", "slow"]


@pytest.mark.slow
@pytest.mark.usefixtures("small_scenes", "fitted")
def test_a_measurement_trains_in_a_folder_of_its_own(tmp_path: Path) -> None:
    config = yaml.safe_load(Path("depth.yaml").read_text())
    config["trainer"]["max_epochs"] = 30
    seconds, steps = measure(Run("multitask", tmp_path / "out", "depth-alone", 0, config), 1)
    assert seconds > 0
    assert steps == 30
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("small_scenes", "fitted")
def test_all_runs_of_a_comparison_have_the_same_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Epochs are of 5 steps, so those of gradnorm end within one; its static weights are as fast as equal ones."""
    write_scenes(Path("more"))
    monkeypatch.setattr(budget, "measure", lambda run, jobs: (SECONDS[run.name], 10))
    words = ["compare", "--config", "depth.yaml", "--data.root", "more", "--out", "out", "--seeds", "1"]
    words += ["--weightings", "gradnorm,gradnorm-static"]
    main([*words, "--budget", "time"])
    said = capsys.readouterr().out
    note = "One seed. All trained for the same time, in steps: depth alone 20, gradnorm 7, gradnorm static 10."
    assert note in said
    for name, steps in ("depth-alone", 20), ("gradnorm", 7), ("gradnorm-static", 10):
        (file,) = Path("out").glob(f"{name}-seed0/*/metrics.csv")
        metrics = Metrics(file)
        assert metrics.series("train/total")[-1][0] == metrics.series("val/loss")[-1][0] == steps - 1
        rates = [rate for _, rate in metrics.series("lr/AdamW")]
        assert rates[-1] / rates[0] == pytest.approx((1 - math.cos(math.pi / steps)) / 2)  # the next would be 0
    said, code = MULTITASK.fails(capsys, *words)
    assert ("out holds a comparison of another configuration or budget" in said, code) == (True, 1)
