"""The folder of a run."""

import atexit
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_only


def new_run(folder: Path) -> Path:
    """Make the folder of a run, called by the time that it starts at.

    Where there is one already, because two runs start in the same second or a clock was set back, a number follows.

    Args:
        folder: that of all runs of a name.

    Returns:
        RUNS/NAME/TIME. The main process alone makes it; what others return may be another time, and they write nothing.
        A command that fails before anything is written there leaves no empty folder.
    """
    time = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    names = (time if number == 1 else f"{time}_{number}" for number in count(1))
    return next(run for run in (folder / name for name in names) if _make(run) is not False)


@rank_zero_only
def _make(run: Path) -> bool:
    """Make a folder; return whether it was not there."""
    try:
        run.mkdir(parents=True)
    except FileExistsError:
        return False
    atexit.register(_remove_empty, run)
    return True


def _remove_empty(run: Path) -> None:
    with suppress(OSError):  # it holds something
        run.rmdir()
