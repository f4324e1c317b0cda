"""The soak in short: each fault once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.soak import disks, kills, mounts, signals, workers
from tests.soak.runs import Row

pytestmark = pytest.mark.slow

needs_mounts = pytest.mark.skipif(not mounts.may_mount(), reason="small disks are mounted, which needs root")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of all runs: they are compared with one that nothing happens to."""
    return tmp_path_factory.mktemp("soak")


def holds(row: Row) -> None:
    assert row.held, row


@pytest.mark.parametrize("program", ["pix2pix", "multitask"])
def test_killed(program: str, folder: Path) -> None:
    holds(kills.kill(program, folder, 2, seed=1))


def test_asked_to_stop_as_slurm_does(folder: Path) -> None:
    holds(signals.stop("pix2pix", folder, "SIGUSR1", 1))


def test_asked_to_stop_as_timeout_does(folder: Path) -> None:
    holds(signals.stop("multitask", folder, "SIGTERM to all processes of the run", 1))


def test_a_worker_is_killed(folder: Path) -> None:
    holds(workers.kill_worker("multitask", folder, 1))


@needs_mounts
def test_too_little_shared_memory(folder: Path) -> None:
    holds(workers.without_shared_memory("multitask", folder))


@needs_mounts
@pytest.mark.parametrize("fault", [disks.full_at_the_start, disks.fills_up, disks.closed])
def test_disks(fault: Callable[[str, Path], Row], folder: Path) -> None:
    holds(fault("pix2pix", folder))
