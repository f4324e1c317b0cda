"""The checkpoint to resume from: after every epoch, every few minutes, and when a signal ends the run."""

import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint

from training.signals import STOP

ASK_EVERY = 10


class Interrupted(BaseException):
    """A run was stopped by a signal: by the first one after its state was saved, by a second one at once.

    Attributes:
        checkpoint: the last one that was saved; None if none was.
        signal: the number of the signal.
    """

    def __init__(self, checkpoint: Path | None, signal: int) -> None:
        super().__init__(f"stopped; saved {checkpoint}")
        self.checkpoint = checkpoint
        self.signal = signal


class LastCheckpoint(Checkpoint):
    """Save ``checkpoints/last.ckpt`` every few minutes, after each epoch, and when a signal stops the run.

    The signals are Ctrl-C (SIGINT), SIGTERM, SIGUSR1, which SLURM can send before it takes a job away, and SIGHUP, each
    unless whatever started the run has it ignored, as ``nohup`` does. After one the run goes on to the end of the batch
    that completes an optimizer step: only then is its whole state in a checkpoint (accumulated gradients are not). It
    saves there, or at the end of the epoch if that comes first, and raises ``Interrupted`` when the next batch or epoch
    starts. Several processes stop together, whichever of them got the signal; they agree on it every ten batches. A
    second signal stops at once, without saving.

    Args:
        minutes: between two saves within an epoch, at least 0; None saves at the ends of epochs alone.

    Raises:
        ValueError: ``minutes`` below 0.
    """

    # ModelCheckpoint(save_last=True) does not replace this: it saves the last epoch only if that was also the best.
    # This is a Checkpoint itself, so that at the end of an epoch it runs after ModelCheckpoint and saves its choice.

    def __init__(self, minutes: float | None = 10.0) -> None:
        if minutes is not None and not minutes >= 0:
            raise ValueError(f"save_every must be at least 0 minutes, or null; got {minutes}")
        self.minutes = minutes
        self._saved_at = 0.0  # of a clock that nobody sets back
        self._received: int | None = None
        self._saved_to_stop = False
        self._handlers: dict[signal.Signals, Any] = {}
        self._file = Path()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Choose the file, on all processes together."""
        self._file = Path(trainer.log_dir or trainer.default_root_dir) / "checkpoints" / "last.ckpt"

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Install the signal handlers."""
        self._received, self._saved_to_stop, self._saved_at = None, False, time.monotonic()
        kept = [each for each in STOP if each == signal.SIGINT or signal.getsignal(each) != signal.SIG_IGN]
        self._handlers = {each: signal.signal(each, self._receive) for each in kept}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received is not None:
            raise Interrupted(self._saved, number)
        self._received = number

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if a signal came or it is time, but not in an epoch's last batch: the end of the epoch saves anyway."""
        # Several processes have to agree, and every check synchronizes them.
        ask = trainer.world_size == 1 or (batch_idx + 1) % ASK_EVERY == 0
        # Gradients that have been accumulated so far are in no checkpoint.
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if not ask or not stepped or trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            return
        if self._anyone(trainer, self._received is not None or self._is_time()):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save at the end of the epoch."""
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        for logger in trainer.loggers:
            logger.save()  # what a resumed run will not log again
        trainer.save_checkpoint(self._file)
        self._saved_at = time.monotonic()
        self._saved_to_stop = self._anyone(trainer, self._received is not None)

    def _is_time(self) -> bool:
        return self.minutes is not None and time.monotonic() - self._saved_at >= 60 * self.minutes

    # It stops when the next batch or epoch begins: only then has Lightning logged the metrics of the last one.

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stop if the last batch saved in order to stop."""
        self._stop()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop if the last batch saved in order to stop."""
        self._stop()

    @property
    def _saved(self) -> Path | None:
        return self._file if self._file.is_file() else None

    @staticmethod
    def _anyone(trainer: pl.Trainer, decision: bool) -> bool:
        """Whether one of the processes says so."""
        return trainer.strategy.reduce_boolean_decision(decision, all=False)

    def _stop(self) -> None:
        if self._saved_to_stop:
            raise Interrupted(self._file, self._received or signal.SIGTERM)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Restore the signal handlers that were there before; tell where a run goes on that its machine has ended."""
        self._restore_handlers()
        if isinstance(exception, OSError | RuntimeError) and self._saved:
            exception.add_note(f"resume with --ckpt_path {self._saved}")

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Restore the signal handlers that were there before."""
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
