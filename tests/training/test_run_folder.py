from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from lightning.pytorch.utilities import rank_zero_only

from training.run_folder import new_run


class Still(datetime):
    """A clock that stands, or was set back to the same second."""

    @classmethod
    def now(cls, tz: object = None) -> "Still":
        return cls(2026, 1, 2, 3, 4, 5)


def test_runs_that_start_in_the_same_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.run_folder.datetime", Still)
    runs = [new_run(tmp_path / "mine") for _ in range(3)]
    assert [run.name for run in runs] == ["2026-01-02_03-04-05", "2026-01-02_03-04-05_2", "2026-01-02_03-04-05_3"]
    assert all(run.is_dir() and run.parent == tmp_path / "mine" for run in runs)


def test_the_main_process_alone_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert new_run(tmp_path / "mine").parent == tmp_path / "mine"
    assert not (tmp_path / "mine").exists()


def test_a_command_that_fails_before_it_writes_leaves_no_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_end: list[tuple[Callable[..., None], Path]] = []
    monkeypatch.setattr("atexit.register", lambda function, run: at_the_end.append((function, run)))
    empty, used = new_run(tmp_path / "mine"), new_run(tmp_path / "mine")
    (used / "config.yaml").touch()
    for function, run in at_the_end:
        function(run)
    assert list((tmp_path / "mine").iterdir()) == [used]
    assert not empty.exists()
