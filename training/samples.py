"""Pictures of what the network makes of the same samples, epoch by epoch, so that one can watch it learn."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image


class Samples(pl.Callback, ABC):
    """Write ``samples/epoch_NNN.png`` after each validation, of the same samples of the run's data.

    The pictures go to TensorBoard and to Weights & Biases too where the run logs there.

    Args:
        count: how many samples, spread evenly over those of the validation, at least 1.
        every_n_epochs: how often, at least 1.
    """

    def __init__(self, count: int = 8, every_n_epochs: int = 1) -> None:
        for name, value in ("count", count), ("every_n_epochs", every_n_epochs):
            if value < 1:
                raise ValueError(f"{name} must be at least 1; got {value}")
        self.count = count
        self.every_n_epochs = every_n_epochs
        self._folder = Path()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Choose the folder, on all processes together."""
        self._folder = Path(trainer.log_dir or trainer.default_root_dir) / "samples"

    @abstractmethod
    def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule, samples: list[Any]) -> Tensor:
        """Draw what the network makes of the samples, as one picture 3 x H x W in [0, 1]; on the main process alone."""

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw and write."""
        epoch = trainer.current_epoch
        trial = trainer.sanity_checking or trainer.fast_dev_run  # type: ignore[attr-defined]
        if trial or not trainer.is_global_zero or epoch % self.every_n_epochs:
            return
        dataset = trainer.datamodule.dataset("val")  # type: ignore[attr-defined]
        count = min(self.count, len(dataset))
        samples = [dataset[0, index * len(dataset) // count] for index in range(count)]
        with torch.no_grad():
            picture = to_pil_image(self.draw(trainer, pl_module, samples))
        self._folder.mkdir(parents=True, exist_ok=True)
        picture.save(self._folder / f"epoch_{epoch:03}.png")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("samples", [picture], step=trainer.global_step)
            elif isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("samples", pil_to_tensor(picture), trainer.global_step)
