"""Runs of two processes, one of which is killed."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.soak.runs import Row, Trial
from tests.soak.workers import children

ROOT = Path(__file__).parents[2]
LINE = r"{}: error: another process of the run is gone .*; resume .*/?last.ckpt.*\n"
LIMIT = 60  # seconds


def lose(program: str, folder: Path, rank: int) -> Row:
    """Start a run of two processes as a user does, kill one, and look at the other.

    Args:
        program: the application.
        folder: that of the runs.
        rank: of the process that is killed.
    """
    trial = Trial(program, folder, f"lost-{rank}", max_epochs=1000)
    words = [sys.executable, "-m", program, *trial.words, "--trainer.devices", "2", "--data.init_args.num_workers", "0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with (trial.folder / "err").open("w") as err:
        first = subprocess.Popen(
            words, cwd=trial.folder, env=environment, stdout=subprocess.DEVNULL, stderr=err, start_new_session=True
        )
    try:
        while first.poll() is None and trial.last is None:
            time.sleep(0.1)
        (second,) = (each for each in children(first.pid) if is_command(each, program))
        killed, left = (first.pid, second) if rank == 0 else (second, first.pid)
        begin = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        while (first.poll() is None if left == first.pid else is_command(left, program)) and seconds(begin) < LIMIT:
            time.sleep(0.1)
        took = seconds(begin)
    finally:
        subprocess.run(["pkill", "-KILL", "-s", str(first.pid)])  # what is left of its session
        first.wait()
    said = (trial.folder / "err").read_text()
    held = took < LIMIT and re.fullmatch(LINE.format(program), said) is not None
    found = f"the other one ended after {took:.1f} s with one line" if held else f"{took:.1f} s: {said}"
    return Row(f"process {rank} of 2 killed, {program}", "1 run", found, held)


def seconds(begin: float) -> float:
    return time.monotonic() - begin


def is_command(process: int, program: str) -> bool:
    """Return whether a process is there and runs a command of a program."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:
        return False
    return any(word.startswith(program.encode()) for word in words)
