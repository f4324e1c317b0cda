import multiprocessing
import os
import signal
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.training.forks import Fork
from training.data import EpochBatchSampler, ResumableLoader
from training.signals import STOP, ignore_signals


def ignore_then_end() -> None:
    ignore_signals(0)
    for each in STOP:
        os.kill(os.getpid(), each)
    print("loaded")


def wait_for_ever(ready: Any) -> None:
    """As a worker whose lock another one took with it."""
    ignore_signals(0)
    ready.set()
    Event().wait()


def leave_a_worker_behind() -> None:
    ready = multiprocessing.Event()
    multiprocessing.Process(target=wait_for_ever, args=(ready,), daemon=True).start()
    ready.wait()
    ResumableLoader([], EpochBatchSampler(4, 2, shuffle=False), num_workers=1)
    print("trained")


@pytest.mark.slow
def test_a_run_ends_though_one_of_its_workers_would_not(tmp_path: Path) -> None:
    assert Fork(leave_a_worker_behind, (), tmp_path).wait(60) == (0, "trained\n", "")


@pytest.mark.slow
def test_what_loads_samples_goes_on_when_its_run_is_asked_to_stop(tmp_path: Path) -> None:
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1} == set(STOP)
    assert Fork(ignore_then_end, (), tmp_path).wait() == (0, "loaded\n", "")
