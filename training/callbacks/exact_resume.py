"""Makes a resumed run draw the same random numbers as one that never stopped."""

import random
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from training.data.sampling import run_seed, seed_of


class ExactResume(pl.Callback):
    """Seed everything that a training step draws, such as dropout, from (seed, process, epoch, batch).

    So no state of a random number generator has to be stored, and a run that is resumed from a checkpoint continues
    as if it had not stopped. The data do the same for their order and augmentation (``ResumableData``).
    """

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed torch, NumPy and random."""
        seed = seed_of("step", run_seed(), trainer.global_rank, trainer.current_epoch, batch_idx)
        torch.default_generator.manual_seed(seed)  # torch.manual_seed also seeds, slowly, devices that are not there
        if (device := trainer.strategy.root_device).type != "cpu":
            torch.get_device_module(device).manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
