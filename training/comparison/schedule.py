"""Which run of a comparison is trained when."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import torch

from training.comparison.processes import PROCESSES
from training.comparison.progress import Progress
from training.comparison.run import Run


def nothing_more(run: Run) -> list[Run]:
    """Return no run, as no other needs this one."""
    return []


def train_all(
    runs: Sequence[Run],
    jobs: int,
    count: int,
    follow: Callable[[Run], Iterable[Run]] = nothing_more,
    before: int = 0,
) -> list[Run]:
    """Train what is not trained yet, several at a time, and show how far they are.

    Args:
        runs: in the order in which they start.
        jobs: runs at the same time, which share the processor cores; at least 1. Where there are several GPUs, several
            jobs have one each, in turn.
        count: of all runs: those that follow and those of other calls for the same comparison among them.
        follow: makes the runs that need a run that is over; they start before those that wait.
        before: how many of all were over before, in other calls.

    Returns:
        All runs, those that followed among them, in the order in which they ended.

    Raises:
        ValueError: a run fails; those that run are waited for, and no other starts.
        SystemExit: after SIGTERM, which those that run get, too: they save and end before.
    """
    threads = threads_of_each(jobs)
    slots = gpus_of_jobs(jobs, visible_gpus())
    waiting, running, over = deque(runs), dict[Future[float | None], tuple[Run, str | None]](), list[Run]()
    with Progress(count, jobs, before) as progress, ThreadPoolExecutor(jobs) as pool, PROCESSES.stopped_together():
        while waiting or running:
            while waiting and len(running) < jobs:
                run, gpu = waiting.popleft(), slots.pop(0)
                running[pool.submit(_train, run, threads, gpu)] = run, gpu
                progress.start(run)
            progress.draw()
            for ended in wait(running, progress.every, FIRST_COMPLETED).done:
                (run, gpu), seconds = running.pop(ended), ended.result()
                slots.append(gpu)
                over.append(run)
                waiting.extendleft(follow(run))
                progress.end(run, seconds)
    return over


def threads_of_each(jobs: int) -> int:
    """Return how many threads each of several jobs has, which share the processor cores."""
    return max(1, (os.cpu_count() or 1) // jobs)


def visible_gpus() -> list[str]:
    """Return the GPUs as CUDA_VISIBLE_DEVICES names them: those that it names, or all."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [each.strip() for each in named.split(",") if each.strip()]
    return [str(number) for number in range(torch.cuda.device_count())]


def gpus_of_jobs(jobs: int, gpus: Sequence[str]) -> list[str | None]:
    """Return the GPU of each of several jobs, in turn; None, for all of them, where there is one job or one GPU."""
    if jobs == 1 or len(gpus) < 2:
        return [None] * jobs
    return [gpus[number % len(gpus)] for number in range(jobs)]


def _train(run: Run, threads: int, gpu: str | None) -> float | None:
    """Train one run; gives the seconds that it took, or None if it was trained already."""
    began = time.monotonic()
    if run.test_metrics():
        return None
    run.train(threads, gpu)
    return time.monotonic() - began
