"""Processes that load samples: killed as the system does when memory is short, or without shared memory."""

import os
import re
import signal
from pathlib import Path

from tests.soak.mounts import in_a_namespace, tmpfs
from tests.soak.runs import BATCHES, Row, Trial, count, uninterrupted
from tests.training.forks import Fork, run_command
from tests.training.states import differences

KILLED = r"{}: error: the loader's worker \d+ was killed, .* lower --data.num_workers or --data.batch_size; resume .*\n"
MEMORY = r"{}: error: the loader's .* out of shared memory; .* --data.num_workers 0.*\n"


def kill_worker(program: str, folder: Path, times: int) -> Row:
    """Kill a worker of as many runs, and go on from their last checkpoint."""
    wrong = []
    for attempt in range(times):
        trial = Trial(program, folder, f"worker-{attempt}")
        fork = trial.start_until(1 + attempt % BATCHES)
        workers = children(fork.pid)
        os.kill(workers[attempt % len(workers)], signal.SIGKILL)
        ended = fork.wait()
        if ended.code != 1 or not re.fullmatch(KILLED.format(program), ended.err):
            wrong.append(str(ended))
            continue
        trial.finish()
        wrong += differences(trial.outcome(), uninterrupted(program, folder))
    found = f"one line, exit code 1, resumed; {len(wrong)} wrong or unlike" + "".join(f"; {each}" for each in wrong)
    return Row(f"a loader's worker killed, {program}", count(times), found, not wrong)


def without_shared_memory(program: str, folder: Path) -> Row:
    """Give a run too little of /dev/shm."""
    trial = Trial(program, folder, "shm")
    ended = Fork(_with_small_memory, (program, trial.words), trial.folder).wait()
    held = ended.code == 1 and re.fullmatch(MEMORY.format(program), ended.err) is not None
    found = "one line with the remedy, exit code 1" if held else str(ended)
    return Row(f"/dev/shm of 64 kB, {program}", "1 run", found, held)


def _with_small_memory(program: str, words: list[str]) -> None:
    in_a_namespace()
    tmpfs(Path("/dev/shm"), "64k")
    run_command(program, words)


def children(process: int) -> list[int]:
    """Return the processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except (FileNotFoundError, ProcessLookupError):  # it has ended since
            continue
        if int(parent) == process:
            found.append(int(stat.parent.name))
    return sorted(found)
