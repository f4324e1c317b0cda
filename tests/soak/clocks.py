"""Clocks that are set back, and runs that start in the same second."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.soak.processes import ROOT
from tests.soak.runs import BATCHES, Row, Trial, uninterrupted
from tests.training.states import differences

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)  # apt-get install libfaketime


def set_back(program: str, folder: Path) -> Row:
    """Set the clock back by a day in the middle of a run, and go on."""
    trial = Trial(program, folder, "clock")
    clock = trial.folder / "clock"
    clock.write_text("+0")
    process = _with_clock(program, trial, {"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"})
    saved = _saved_after(process, trial, 0)
    clock.write_text("-1d")
    later = _saved_after(process, trial, saved)
    code = process.wait()
    unlike = differences(trial.outcome(), uninterrupted(program, folder)) if code == 0 else [f"exit code {code}"]
    found = f"saved at steps {saved} and {later}; {len(unlike)} values differ at the end"
    return Row(f"clock set back by a day, {program}", "1 run", found, not unlike and later > saved)


def same_second(program: str, folder: Path) -> Row:
    """Start two runs of one name while the clock stands still."""
    trial = Trial(program, folder, "second")
    still = {"FAKETIME": "2026-01-02 03:04:05"}
    processes = [_with_clock(program, trial, still) for _ in range(2)]
    codes = [process.wait() for process in processes]
    runs = sorted(each.name for each in (trial.folder / "runs" / "small").iterdir())
    whole = all((trial.folder / "runs" / "small" / each / "curves.png").is_file() for each in runs)
    held = codes == [0, 0] and runs == ["2026-01-02_03-04-05", "2026-01-02_03-04-05_2"] and whole
    return Row(f"two runs in one second, {program}", "2 runs", ", ".join(runs), held)


def _with_clock(program: str, trial: Trial, clock: dict[str, str]) -> subprocess.Popen[bytes]:
    assert LIBRARY is not None, "libfaketime is there"
    real = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | real | clock
    return subprocess.Popen(
        [sys.executable, "-m", program, *trial.words], cwd=trial.folder, env=environment, stdout=subprocess.DEVNULL
    )


def _saved_after(process: subprocess.Popen[bytes], trial: Trial, step: int) -> int:
    """Wait for a save in the middle of an epoch, after a step; return at which."""
    while process.poll() is None:
        if (saved := trial.step) > step and saved % BATCHES:
            return saved
        time.sleep(0.02)
    return step
