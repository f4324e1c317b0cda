"""Grids of input, output and truth, epoch by epoch, so that one can watch the generator learn."""

from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import WandbLogger
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image
from torchvision.utils import make_grid

from pix2pix.metrics import unit_range


class SampleGrid(pl.Callback):
    """Write ``samples/epoch_NNN.png`` after each validation: rows of input, output and truth.

    The pictures are always the same ones, spread evenly over the validation pairs of the run's ``PairedImages``. They
    go to Weights & Biases too where the run logs there.

    Args:
        count: how many pairs, side by side, at least 1.
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

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the grid."""
        epoch = trainer.current_epoch
        trial = trainer.sanity_checking or trainer.fast_dev_run  # type: ignore[attr-defined]
        if trial or not trainer.is_global_zero or epoch % self.every_n_epochs:
            return
        grid = to_pil_image(self._draw(trainer, pl_module))
        self._folder.mkdir(parents=True, exist_ok=True)
        grid.save(self._folder / f"epoch_{epoch:03}.png")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("samples", [grid], step=trainer.global_step)

    @torch.no_grad()
    def _draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Tensor:
        dataset = trainer.datamodule.dataset("val")  # type: ignore[attr-defined]
        count = min(self.count, len(dataset))
        pairs = [dataset[0, index * len(dataset) // count] for index in range(count)]
        precision = trainer.precision_plugin
        outputs = []
        for pair in pairs:  # one by one: a grid of large pictures must not need more memory than training
            source = precision.convert_input(pair["input"][None].to(pl_module.device))
            with precision.val_step_context():
                outputs.append(pl_module(source)[0].float().cpu())
        rows = [pair["input"] for pair in pairs], outputs, [pair["target"] for pair in pairs]
        pictures = [as_rgb(unit_range(picture)) for row in rows for picture in row]
        return make_grid(pictures, nrow=count, pad_value=0.5)


def as_rgb(picture: Tensor) -> Tensor:
    """Make what can be looked at of a picture in [0, 1] with 1, 3 or 4 channels: RGB, on white where transparent."""
    if len(picture) == 4:
        alpha = picture[3:]
        return picture[:3] * alpha + 1 - alpha
    return picture.expand(3, -1, -1)
