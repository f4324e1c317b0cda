"""The progress bar: the losses, and the time left of the whole run."""

import time
from collections.abc import Sequence
from datetime import timedelta

import lightning.pytorch as pl
from lightning.pytorch.callbacks import TQDMProgressBar

from training.model import newest_values


class ProgressBar(TQDMProgressBar):
    """Lightning's bar with the losses and the time left of all epochs.

    Args:
        shown: the names of the logged values that stand behind the bar.
        refresh_rate: batches between two looks at the losses; each look waits for the GPU.
    """

    def __init__(self, shown: Sequence[str], refresh_rate: int = 20) -> None:
        super().__init__(refresh_rate=refresh_rate)
        self.shown = tuple(shown)
        self._began = 0.0
        self._done_before = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        super().on_train_start(trainer, pl_module)
        self._began = time.monotonic()
        self._done_before = trainer.global_step

    def get_metrics(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Return the values shown after the bar."""
        logged = newest_values(trainer, pl_module)
        shown: dict[str, int | str | float | dict[str, float]] = {
            name.removeprefix("train/"): f"{logged[name].item():.3f}" for name in self.shown if name in logged
        }
        done = trainer.global_step - self._done_before
        if trainer.training and done and trainer.max_epochs is not None and trainer.max_epochs > 0:
            left = trainer.max_epochs * trainer.num_training_batches - trainer.global_step
            seconds = round((time.monotonic() - self._began) / done * max(left, 0))
            shown["left"] = str(timedelta(seconds=seconds))
        return shown
