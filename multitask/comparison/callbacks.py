"""How long a step of a run takes."""

import time

import lightning.pytorch as pl
import torch
from torch.optim import Optimizer

WARM_UP = 5  # steps before the measurement: the first ones allocate memory and choose algorithms
MEASURED = 20


class StepTimer(pl.Callback):
    """Measure the seconds of a step, log them beside the steps that the run was to have, and end it.

    Raises:
        ValueError: the run ends before the measurement.
    """

    def __init__(self) -> None:
        self._began = 0.0
        self._done = False

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Read the clock at the same place in two steps: in between are data, both passes, optimizer and weighting."""
        if trainer.global_step == WARM_UP:
            self._began = _now()
        elif trainer.global_step == WARM_UP + MEASURED:
            seconds = (_now() - self._began) / MEASURED
            found = {"run/seconds": seconds, "run/steps": trainer.estimated_stepping_batches}
            for logger in trainer.loggers:
                logger.log_metrics(found, trainer.global_step)
            trainer.should_stop = self._done = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Require that there was a measurement."""
        if not self._done:
            raise ValueError(f"the budget time needs runs of more than {WARM_UP + MEASURED} steps to measure one")


def _now() -> float:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()  # otherwise it would be the time of a launch
    return time.perf_counter()
