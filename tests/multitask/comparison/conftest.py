import sys
from pathlib import Path

import pytest
import yaml

from tests.multitask.scenes import write_scenes
from tests.training.comparison.forks import train_in_forks
from tests.training.programs import MULTITASK


@pytest.fixture
def small_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own with four scenes, small.yaml of two tasks and depth.yaml of one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["multitask"])
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    write_scenes(tmp_path / "data", {"train": 2, "val": 1, "test": 1})
    config = MULTITASK.config(tmp_path / "data")
    config["model"]["tasks"].pop("boxes")
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    config["model"]["tasks"].pop("seg")
    (tmp_path / "depth.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders of the runs that are trained, in this order, in forks."""
    return train_in_forks(monkeypatch)
