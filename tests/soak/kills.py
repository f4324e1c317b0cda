"""Runs that are killed at random moments, also while a checkpoint is being written."""

import random
import signal
import time
from pathlib import Path

from tests.soak.runs import Row, Trial, uninterrupted
from tests.training.states import differences

OF_A_RUN = 5  # kills, at most


def kill(program: str, folder: Path, kills: int, seed: int = 0, longest: float | None = None) -> Row:
    """Kill runs so often at random moments of them, and compare each in the end with one that nothing happened to.

    Args:
        program: the application.
        folder: that of the runs.
        kills: how many, of runs that are not over yet.
        seed: of the moments.
        longest: seconds from the start of a process to its kill; by default what a whole run takes.
    """
    expected = uninterrupted(program, folder)
    longest = longest or _seconds(Trial(program, folder, "timed"))
    moments, killed, writing, runs, lost, unlike = random.Random(seed), 0, 0, 0, 0, []
    while killed < kills:
        trial, runs = Trial(program, folder, f"killed-{runs}"), runs + 1
        for _ in range(min(OF_A_RUN, kills - killed)):
            fork = trial.start()
            fork.process.join(moments.uniform(0, longest))
            fork.signal(signal.SIGKILL)
            fork.process.join()
            if fork.process.exitcode != -signal.SIGKILL:
                break  # it was faster
            killed += 1
            writing += any(trial.unfinished())
        if trial.start().wait().code:
            lost += 1
        else:
            unlike += trial.unfinished() + differences(trial.outcome(), expected)
    found = f"{lost} lost; {len(unlike)} values differ at the end; {writing} kills came while a checkpoint was written"
    return Row(
        f"SIGKILL at a random moment, {program}", f"{killed} kills in {runs} runs", found, not lost + len(unlike)
    )


def _seconds(trial: Trial) -> float:
    begin = time.monotonic()
    trial.finish()
    return time.monotonic() - begin
