"""A run that was stopped and resumed ends with the same weights and optimiser states as one that never stopped."""

import hashlib
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

from pix2pix import PatchDiscriminator, Pix2Pix, ResNetGenerator
from pix2pix.callbacks import GeneratorEMA
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer
from training import AtomicCheckpointIO, ExactResume, Interrupted, LastCheckpoint

EPOCHS = 3  # of 5 batches

pytestmark = pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")


class Signal(pl.Callback):
    """Sends this process a signal in the middle of a batch, between D's step and G's."""

    def __init__(self, number: int, epoch: int, batch: int) -> None:
        self.number, self.at = number, (epoch, batch)
        self.steps = 0

    def on_before_optimizer_step(self, trainer: pl.Trainer, *_: Any) -> None:
        self.steps += 1
        if (trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_idx) == self.at and self.steps % 2 == 1:
            os.kill(os.getpid(), self.number)


def run(folder: Path, workers: int, resume: Path | None = None, stop: Signal | None = None) -> Pix2Pix:
    """Train with all that draws random numbers: order, crop, flip, jitter, dropout; with schedule, EMA, validation."""
    for seed in torch.manual_seed, np.random.seed, random.seed:
        seed(resume is None)  # a resumed process does not find the generators as they were
    model = Pix2Pix(
        ResNetGenerator(base_channels=4, blocks=1, dropout=0.5),
        PatchDiscriminator(6, 4, layers=1),
        constant_epochs=1,
        decay_epochs=2,
    )
    if resume is None:
        torch.manual_seed(7)
        model.load_state_dict(
            {
                n: torch.randn_like(t) / 20 if t.is_floating_point() and "var" not in n else t
                for n, t in model.state_dict().items()
            }
        )
    best = ModelCheckpoint(
        folder / "checkpoints",
        "best",
        "val/l1",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    callbacks = [ExactResume(), GeneratorEMA(0.9), best, LastCheckpoint(), *([stop] if stop else [])]
    trainer = quiet_trainer(
        max_epochs=EPOCHS,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        default_root_dir=folder,
        enable_checkpointing=True,
        limit_val_batches=1.0,
        use_distributed_sampler=False,
    )
    data = small_data(folder.parent / "data", num_workers=workers)
    trainer.fit(model, datamodule=data, ckpt_path=resume, weights_only=True)
    return model


def fingerprint(model: Pix2Pix) -> str:
    optimizers = [optimizer.state_dict() for optimizer in model.trainer.optimizers]
    average = next(c for c in model.trainer.callbacks if isinstance(c, GeneratorEMA))._averaged.module
    digest = hashlib.sha256()
    for state in model.state_dict(), average.state_dict():
        for name, tensor in state.items():
            digest.update(name.encode() + tensor.numpy().tobytes())
    for optimizer in optimizers:
        for entry in optimizer["state"].values():
            digest.update(b"".join(tensor.numpy().tobytes() for tensor in entry.values()))
        digest.update(repr([group["lr"] for group in optimizer["param_groups"]]).encode())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.set_num_threads(1)
    return fingerprint(run(tmp_path_factory.mktemp("whole") / "run", workers=0))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("number", "epoch", "batch"),
    [(signal.SIGINT, 1, 2), (signal.SIGTERM, 0, 0), (signal.SIGINT, 1, 4)],
    ids=["mid-epoch", "first-batch", "epoch-end"],
)
def test_stopped_by_a_signal_and_resumed(
    number: int, epoch: int, batch: int, workers: int, tmp_path: Path, uninterrupted: str
) -> None:
    handler = signal.getsignal(number)
    with pytest.raises(Interrupted) as stopped:
        run(tmp_path / "run", workers, stop=Signal(number, epoch, batch))
    assert stopped.value.signal == number
    assert signal.getsignal(number) == handler  # given back

    checkpoint = stopped.value.checkpoint
    assert checkpoint == tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert torch.load(checkpoint, weights_only=True)["global_step"] == epoch * 5 + batch + 1
    assert fingerprint(run(tmp_path / "run", workers, resume=checkpoint)) == uninterrupted


def test_a_signal_in_the_last_batch_of_all_does_not_stop_what_is_done(tmp_path: Path, uninterrupted: str) -> None:
    assert fingerprint(run(tmp_path / "run", 0, stop=Signal(signal.SIGTERM, 2, 4))) == uninterrupted


def test_the_number_of_workers_changes_nothing(tmp_path: Path, uninterrupted: str) -> None:
    assert fingerprint(run(tmp_path / "run", workers=2)) == uninterrupted


def test_a_second_signal_stops_at_once() -> None:
    callback = LastCheckpoint()
    callback._receive(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        callback._receive(signal.SIGINT, None)
