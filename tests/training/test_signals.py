import os
import signal
from pathlib import Path

import pytest

from tests.training.forks import Fork
from training.signals import STOP, ignore_signals


def ignore_then_end() -> None:
    ignore_signals(0)
    for each in STOP:
        os.kill(os.getpid(), each)
    print("loaded")


@pytest.mark.slow
def test_what_loads_samples_goes_on_when_its_run_is_asked_to_stop(tmp_path: Path) -> None:
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1} == set(STOP)
    assert Fork(ignore_then_end, (), tmp_path).wait() == (0, "loaded\n", "")
