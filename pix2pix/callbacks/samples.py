"""Grids of input, output and truth, epoch by epoch, so that one can watch the generator learn."""

from typing import Any

import lightning.pytorch as pl
from torch import Tensor
from torchvision.utils import make_grid

from pix2pix.metrics import unit_range
from training import Samples


class SampleGrid(Samples):
    """Write ``samples/epoch_NNN.png`` after each validation: rows of input, output and truth.

    The pictures are always the same ones, spread evenly over the validation pairs of the run's ``PairedImages``. They
    go to TensorBoard and to Weights & Biases too where the run logs there.

    Args:
        count: how many pairs, side by side, at least 1.
        every_n_epochs: how often, at least 1.
    """

    def __init__(self, count: int = 8, every_n_epochs: int = 1) -> None:
        super().__init__(count, every_n_epochs)

    def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule, samples: list[Any]) -> Tensor:
        """Draw the grid."""
        precision = trainer.precision_plugin
        outputs = []
        for pair in samples:  # one by one: a grid of large pictures must not need more memory than training
            source = precision.convert_input(pair["input"][None].to(pl_module.device))
            with precision.val_step_context():
                outputs.append(pl_module(source)[0].float().cpu())
        rows = [pair["input"] for pair in samples], outputs, [pair["target"] for pair in samples]
        pictures = [as_rgb(unit_range(picture)) for row in rows for picture in row]
        return make_grid(pictures, nrow=len(samples), pad_value=0.5)


def as_rgb(picture: Tensor) -> Tensor:
    """Make what can be looked at of a picture in [0, 1] with 1, 3 or 4 channels: RGB, on white where transparent."""
    if len(picture) == 4:
        alpha = picture[3:]
        return picture[:3] * alpha + 1 - alpha
    return picture.expand(3, -1, -1)
