"""Which run of a comparison is trained when."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta

from multitask.comparison.run import Run


def train_all(runs: Sequence[Run], jobs: int, count: int, follow: Callable[[Run], Iterable[Run]]) -> list[Run]:
    """Train what is not trained yet, several at a time, and print a line for each.

    Args:
        runs: in the order in which they start.
        jobs: runs at the same time, which share the processor cores; at least 1.
        count: of all runs, for the lines.
        follow: makes the runs that need a run that is over; they start before those that wait.

    Returns:
        All runs, those that followed among them, in the order in which they ended.

    Raises:
        ValueError: a run fails; those that run are waited for, and no other starts.
    """
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting, running, over = deque(runs), dict[Future[float | None], Run](), list[Run]()
    with ThreadPoolExecutor(jobs) as pool:
        while waiting or running:
            while waiting and len(running) < jobs:
                run = waiting.popleft()
                running[pool.submit(_train, run, threads)] = run
            for ended in wait(running, return_when=FIRST_COMPLETED).done:
                run, seconds = running.pop(ended), ended.result()
                over.append(run)
                waiting.extendleft(follow(run))
                if seconds is not None:
                    print(f"[{len(over)}/{count}] {run.folder.name}: {timedelta(seconds=round(seconds))}", flush=True)
    return over


def _train(run: Run, threads: int) -> float | None:
    """Train one run; gives the seconds that it took, or None if it was trained already."""
    began = time.monotonic()
    if run.test_metrics():
        return None
    run.train(threads)
    return time.monotonic() - began
