"""Pictures of every task's prediction beside the truth, epoch by epoch."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.utils import make_grid

from multitask.data import collate
from multitask.module import MultiTask
from training import Samples


class TaskPictures(Samples):
    """Write ``samples/epoch_NNN.png`` after each validation: rows of images, then truth and prediction for each task.

    The scenes are always the same ones, spread evenly over those of the validation, one in a column. Truth that is not
    known is grey. The pictures go to TensorBoard and to Weights & Biases too where the run logs there.

    Args:
        count: how many scenes, side by side, at least 1.
        every_n_epochs: how often, at least 1.
    """

    def __init__(self, count: int = 6, every_n_epochs: int = 1) -> None:
        super().__init__(count, every_n_epochs)

    def draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule, samples: list[Any]) -> Tensor:
        """Draw the grid."""
        assert isinstance(pl_module, MultiTask)
        columns = []
        for scene in samples:  # one by one: a grid of large pictures must not need more memory than training
            batch = trainer.strategy.batch_to_device(collate([scene]), pl_module.device)
            image = trainer.precision_plugin.convert_input(batch["image"])
            with trainer.precision_plugin.val_step_context():
                predictions = pl_module(image)
            columns.append(draw_column(pl_module, batch, predictions))
        size = columns[0][0].shape[1:]
        rows = [picture for row in zip(*columns, strict=True) for picture in row]
        return make_grid([fit(picture, size) for picture in rows], nrow=len(samples), pad_value=1.0)


def draw_column(model: MultiTask, batch: dict[str, Any], predictions: dict[str, Any]) -> list[Tensor]:
    """Draw a scene: its image, and truth and prediction for each task; pictures 3 x H x W in [0, 1].

    Args:
        model: whose tasks they are.
        batch: the scene alone.
        predictions: what the model makes of it.
    """
    image = batch["image"].float()
    column = [image]
    for name, task in model.named_tasks().items():
        truth = task.draw(batch[task.target], image) if task.target in batch else torch.full_like(image, 0.5)
        column += [truth, task.draw(task.decode(predictions[name]), image)]
    return [picture[0].float().cpu() for picture in column]


def fit(picture: Tensor, size: torch.Size) -> Tensor:
    """Bring a picture to a size, if it has another."""
    return picture if picture.shape[1:] == size else F.interpolate(picture[None], size)[0]
