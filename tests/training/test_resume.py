"""A run that was stopped and resumed ends with the same weights and optimizer states as one that never stopped."""

import os
import random
import signal
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from tests.training.applications import APPLICATIONS, BATCHES, quiet_trainer
from tests.training.forks import Fork
from tests.training.states import assert_same
from training import AtomicCheckpointIO, ExactResume, Interrupted, LastCheckpoint

EPOCHS = 3
ACCUMULATING = [name for name in APPLICATIONS if not name.startswith("pix2pix")]  # whose optimization is manual

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]


class Signal(pl.Callback):
    """Sends this process a signal in the middle of a batch; in pix2pix between D's step and G's."""

    def __init__(self, number: int, epoch: int, batch: int) -> None:
        self.number, self.at = number, (epoch, batch)
        self.backwards = 0

    def on_after_backward(self, trainer: pl.Trainer, *_: Any) -> None:
        if (trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_idx) == self.at:
            self.backwards += 1
            if self.backwards == len(trainer.optimizers):
                os.kill(os.getpid(), self.number)


class Kill(Signal):
    """Kills this process when the weighting has learned from a batch and the optimizer has not."""

    def on_before_zero_grad(self, trainer: pl.Trainer, *_: Any) -> None:
        if (trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_idx) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def run(
    name: str,
    folder: Path,
    *,
    workers: int = 0,
    accumulate: int = 1,
    resume: Path | None = None,
    stop: Signal | None = None,
    minutes: float | None = 10.0,
) -> dict[str, Any]:
    """Train with all that draws random numbers: order, augmentation, dropout; return the last checkpoint."""
    application = APPLICATIONS[name]
    torch.set_num_threads(1)
    for seed in torch.manual_seed, np.random.seed, random.seed:
        seed(7 if resume is None else 8)  # a resumed process does not find the generators as they were
    model = application.build_model()
    best = ModelCheckpoint(
        folder / "checkpoints", "best", application.monitor, save_on_train_epoch_end=True, enable_version_counter=False
    )
    trainer = quiet_trainer(
        folder,
        max_epochs=EPOCHS,
        accumulate_grad_batches=accumulate,
        callbacks=[ExactResume(), *application.callbacks(), best, LastCheckpoint(minutes), *([stop] if stop else [])],
        plugins=[AtomicCheckpointIO()],
    )
    data = application.build_data(folder.parent / "data", num_workers=workers)
    trainer.fit(model, data, ckpt_path=resume, weights_only=True)
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The last checkpoint of a run that nothing stops, for each application and number of accumulated batches."""
    done: dict[tuple[str, int], dict[str, Any]] = {}

    def get(name: str, accumulate: int = 1) -> dict[str, Any]:
        if (name, accumulate) not in done:
            done[name, accumulate] = run(name, tmp_path_factory.mktemp(name) / "run", accumulate=accumulate)
        return done[name, accumulate]

    return get


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("number", "epoch", "batch"),
    [(signal.SIGINT, 1, 2), (signal.SIGTERM, 1, 1), (signal.SIGTERM, 0, 0), (signal.SIGINT, 1, 4)],
    ids=["ctrl-c", "sigterm", "first-batch", "epoch-end"],
)
@pytest.mark.parametrize("name", ["pix2pix", "gradnorm", "uncertainty"])
def test_stopped_by_a_signal_and_resumed(
    name: str, number: int, epoch: int, batch: int, workers: int, tmp_path: Path, uninterrupted: Any
) -> None:
    handler = signal.getsignal(number)
    with pytest.raises(Interrupted) as stopped:
        run(name, tmp_path / "run", workers=workers, stop=Signal(number, epoch, batch))
    assert stopped.value.signal == number
    assert signal.getsignal(number) == handler  # given back

    checkpoint = stopped.value.checkpoint
    assert checkpoint == tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert torch.load(checkpoint, weights_only=True)["global_step"] == epoch * BATCHES + batch + 1
    assert_same(run(name, tmp_path / "run", workers=workers, resume=checkpoint), uninterrupted(name))


def test_a_closed_terminal_stops_a_run_unless_nohup_keeps_it(tmp_path: Path, uninterrupted: Any) -> None:
    name, before = "pix2pix", signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever started the tests
    try:
        with pytest.raises(Interrupted) as stopped:
            run(name, tmp_path / "run", stop=Signal(signal.SIGHUP, 1, 1))
        assert_same(run(name, tmp_path / "run", resume=stopped.value.checkpoint), uninterrupted(name))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        assert_same(run(name, tmp_path / "kept", stop=Signal(signal.SIGHUP, 1, 1)), uninterrupted(name))
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batch", [0, 1, 3, 4])
@pytest.mark.parametrize("name", ["gradnorm", "uncertainty", "famo"])
def test_stopped_while_gradients_accumulate(
    name: str, batch: int, workers: int, tmp_path: Path, uninterrupted: Any
) -> None:
    """It stops at the next step of the optimizer: accumulated gradients are in no checkpoint."""
    with pytest.raises(Interrupted) as stopped:
        run(name, tmp_path / "run", workers=workers, accumulate=2, stop=Signal(signal.SIGTERM, 1, batch))
    steps = torch.load(stopped.value.checkpoint, weights_only=True)["global_step"]
    assert steps == 3 + batch // 2 + 1  # 3 steps an epoch, the third of one batch
    resumed = run(name, tmp_path / "run", workers=workers, accumulate=2, resume=stopped.value.checkpoint)
    assert_same(resumed, uninterrupted(name, 2))


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_signal_in_the_last_batch_of_all_does_not_stop_what_is_done(
    name: str, tmp_path: Path, uninterrupted: Any
) -> None:
    assert_same(run(name, tmp_path / "run", stop=Signal(signal.SIGTERM, EPOCHS - 1, 4)), uninterrupted(name))


@pytest.mark.parametrize("name", ["pix2pix", "gradnorm"])
def test_the_number_of_workers_changes_nothing(name: str, tmp_path: Path, uninterrupted: Any) -> None:
    assert_same(run(name, tmp_path / "run", workers=2), uninterrupted(name))


def kill(name: str, folder: Path, epoch: int, batch: int, minutes: float | None = 10.0) -> None:
    """Train in a process that is killed in a batch."""
    killed = Fork(run_and_kill, (name, folder, epoch, batch, minutes), folder.parent).wait()
    assert killed.code == -signal.SIGKILL, killed.err


def run_and_kill(name: str, folder: Path, epoch: int, batch: int, minutes: float | None) -> None:
    run(name, folder, stop=Kill(signal.SIGKILL, epoch, batch), minutes=minutes)


@pytest.mark.parametrize("name", APPLICATIONS)
@pytest.mark.parametrize(("epoch", "batch"), [(1, 3), (2, 0)])
def test_killed_and_resumed(name: str, epoch: int, batch: int, tmp_path: Path, uninterrupted: Any) -> None:
    kill(name, tmp_path / "killed", epoch, batch)
    last = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["epoch"] == epoch - 1
    assert_same(run(name, tmp_path / "killed", resume=last), uninterrupted(name))


@pytest.mark.parametrize("name", ["pix2pix", "gradnorm", "famo"])
def test_killed_within_an_epoch_and_resumed_from_the_last_batch(name: str, tmp_path: Path, uninterrupted: Any) -> None:
    """With 0 minutes between two saves, it saves after each batch."""
    kill(name, tmp_path / "killed", 1, 3, minutes=0)
    last = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == BATCHES + 3
    assert_same(run(name, tmp_path / "killed", resume=last, minutes=0), uninterrupted(name))


def test_minutes_are_those_of_a_clock_that_is_not_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("training.callbacks.last_checkpoint.time.monotonic", lambda: now)
    callback, never = LastCheckpoint(2), LastCheckpoint(None)
    callback._saved_at = never._saved_at = now
    assert not callback._is_time()
    now += 121
    assert callback._is_time()
    assert not never._is_time()
    with pytest.raises(ValueError, match="save_every must be at least 0 minutes, or null; got -1"):
        LastCheckpoint(-1)


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    callback = LastCheckpoint()
    callback._file = tmp_path / "last.ckpt"
    callback._receive(signal.SIGINT, None)
    with pytest.raises(Interrupted) as stopped:
        callback._receive(signal.SIGTERM, None)
    assert (stopped.value.checkpoint, stopped.value.signal) == (None, signal.SIGTERM)  # nothing was saved yet
    callback._file.touch()
    with pytest.raises(Interrupted) as stopped:
        callback._receive(signal.SIGINT, None)
    assert stopped.value.checkpoint == callback._file


def test_a_fault_of_the_machine_says_where_the_run_goes_on(tmp_path: Path) -> None:
    callback, trainer = LastCheckpoint(), quiet_trainer(tmp_path)
    callback._file = tmp_path / "last.ckpt"
    errors = [OSError(28, "No space left on device"), RuntimeError("gloo"), ValueError("lr")]
    for error in errors:
        callback.on_exception(trainer, pl.LightningModule(), error)
        assert not hasattr(error, "__notes__")  # nothing was saved yet
    callback._file.touch()
    for error in errors:
        callback.on_exception(trainer, pl.LightningModule(), error)
    told = [f"resume with --ckpt_path {callback._file}"]
    assert [getattr(error, "__notes__", []) for error in errors] == [told, told, []]
