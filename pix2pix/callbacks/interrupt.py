"""Ctrl-C, and the SIGTERM of a cluster whose time is up, end a run in good order."""

import signal
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint

SIGNALS = (signal.SIGINT, signal.SIGTERM)
ASK_EVERY = 10


class Interrupted(BaseException):
    """A run was stopped by a signal, after its state was saved.

    Attributes:
        checkpoint: where it was saved.
        signal: the number of the signal.
    """

    def __init__(self, checkpoint: Path, signal: int) -> None:
        super().__init__(f"stopped; saved {checkpoint}")
        self.checkpoint = checkpoint
        self.signal = signal


class SaveOnInterrupt(Checkpoint):
    """On SIGINT (Ctrl-C) or SIGTERM finish the batch, save ``checkpoints/last.ckpt`` and raise ``Interrupted``.

    Between batches the state is whole: D and G have both made their steps. All processes of a run stop together,
    whichever got the signal. A second signal stops at once, without saving.
    """

    # A Checkpoint, so that it comes after ModelCheckpoint at an epoch's end, which may choose a best one first.

    def __init__(self) -> None:
        self._received: int | None = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._file = Path()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Choose the file, on all processes together."""
        self._file = Path(trainer.log_dir or trainer.default_root_dir) / "checkpoints" / "last.ckpt"

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take over the signals."""
        self._received = None
        self._handlers = {each: signal.signal(each, self._receive) for each in SIGNALS}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received is not None:
            raise KeyboardInterrupt
        self._received = number

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop if asked to; but an epoch's last batch leaves that to the epoch's end."""
        # Several processes have to agree, and asking them costs a synchronisation.
        asked = trainer.world_size == 1 or (batch_idx + 1) % ASK_EVERY == 0
        if asked and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self._stop_if_received(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop if asked to, unless this was the last epoch."""
        if trainer.current_epoch + 1 != trainer.max_epochs:
            self._stop_if_received(trainer)

    def _stop_if_received(self, trainer: pl.Trainer) -> None:
        received = self._received is not None
        if trainer.strategy.reduce_boolean_decision(received, all=False):
            trainer.save_checkpoint(self._file)
            raise Interrupted(self._file, self._received or signal.SIGTERM)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Give the signals back."""
        self._restore_handlers()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give the signals back."""
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
