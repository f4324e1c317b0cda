"""Runs that are asked to stop, at random moments of their training."""

import random
import re
import signal
from pathlib import Path

from tests.soak.runs import BATCHES, EPOCHS, Row, Trial, count, uninterrupted
from tests.training.states import differences

GO_ON = r"\nstopped; resume with: python -m {program} (fit --ckpt_path \S+/last.ckpt)\n$"
Ways = dict[str, tuple[int, int, bool]]  # by their names the signal, how often, and whether to all processes
WAYS: Ways = {
    "SIGTERM": (signal.SIGTERM, 1, False),
    "SIGTERM to all processes of the run": (signal.SIGTERM, 1, True),
    "SIGINT": (signal.SIGINT, 1, True),
    "SIGINT twice": (signal.SIGINT, 2, True),
    "SIGHUP": (signal.SIGHUP, 1, True),
    "SIGUSR1": (signal.SIGUSR1, 1, True),
}


def stop(program: str, folder: Path, way: str, times: int, seed: int = 0) -> Row:
    """Stop as many runs, look at what they say and their exit codes, and go on with the command that they print.

    Args:
        program: the application.
        folder: that of the runs.
        way: one of ``WAYS``.
        times: how many.
        seed: of the moments, which are batches of the run but for its last epoch.
    """
    number, often, group = WAYS[way]
    moments, wrong = random.Random(seed), []
    for attempt in range(times):
        trial = Trial(program, folder, f"{way.replace(' ', '-')}-{attempt}")
        fork = trial.start_until(1 + moments.randrange(BATCHES * (EPOCHS - 1)))
        for _ in range(often):
            fork.signal(number, group)
            fork.process.join(0.02)  # two at once would be one
        ended = fork.wait()
        said = re.search(GO_ON.format(program=program), ended.out)
        if ended.code != 128 + number or ended.err or said is None or said[1].split() != trial.words:
            wrong.append(f"{trial.folder.name}: {ended}")
            continue
        trial.finish()
        wrong += differences(trial.outcome(), uninterrupted(program, folder))
    found = f"exit code {128 + number}; {len(wrong)} wrong or unlike" + "".join(f"; {each}" for each in wrong)
    return Row(f"{way}, {program}", count(times), found, not wrong)
