"""The soak in short: each fault once."""

import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.soak import disks, kills, mounts, processes, signals, workers
from tests.soak.runs import Row, Trial
from tests.training.forks import fork_command

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


@pytest.mark.parametrize("lost", [0, 1])
def test_one_of_two_processes_is_lost(lost: int, folder: Path) -> None:
    """Here both are forks, as torchrun would start them; in the long form Lightning starts the second."""
    trial = Trial("multitask", folder, f"forks-{lost}", max_epochs=1000)
    words = ["fit", "--trainer.devices", "2", "--data.init_args.num_workers", "0"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    forks = []
    for rank in "0", "1":
        own = trial.folder / rank
        own.mkdir()
        options = ["--config", "../small.yaml", "--runs", "../runs"]
        environment = {"LOCAL_RANK": rank, "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        forks.append(fork_command("multitask", [*words, *options], own, environment))
    while trial.step < 1 and all(fork.process.exitcode is None for fork in forks):
        forks[0].process.join(0.05)
    forks[lost].signal(signal.SIGKILL)
    ended = forks[1 - lost].wait(processes.LIMIT)
    assert ended.code == 1
    assert re.fullmatch(processes.LINE.format("multitask"), ended.err)


def test_a_worker_is_killed(folder: Path) -> None:
    holds(workers.kill_worker("multitask", folder, 1))


@needs_mounts
def test_too_little_shared_memory(folder: Path) -> None:
    holds(workers.without_shared_memory("multitask", folder))


@needs_mounts
@pytest.mark.parametrize("fault", [disks.full_at_the_start, disks.fills_up, disks.closed])
def test_disks(fault: Callable[[str, Path], Row], folder: Path) -> None:
    holds(fault("pix2pix", folder))
