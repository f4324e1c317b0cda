"""Pictures of the model's output for the same samples, epoch by epoch, to watch it learn."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from torchvision.transforms.v2.functional import pil_to_tensor

from inference.picture_table import short_names
from inference.pictures import sheet, to_picture
from training.data import ResumableData
from training.loggers import log_table
from training.model import Model


class SamplePictures(pl.Callback):
    """Write ``samples/epoch_NNN.png`` after each validation: the model's output for the same samples each time.

    The samples are spread evenly over the validation split. Each is a column, drawn by the model: for pix2pix the
    input, the output and the target; for several tasks the image, then target and prediction of each task, and a legend
    of the classes below. The pictures go to TensorBoard and to Weights & Biases too where the run logs there. When
    training ends, W&B also gets the last of them as a table, with a row for each sample and a picture in each cell.

    Args:
        count: how many samples, side by side, at least 1.
        every_n_epochs: how often, at least 1.
    """

    def __init__(self, count: int = 8, every_n_epochs: int = 1) -> None:
        for name, value in ("count", count), ("every_n_epochs", every_n_epochs):
            if value < 1:
                raise ValueError(f"samples.{name} must be at least 1; got {value}")
        self.count = count
        self.every_n_epochs = every_n_epochs
        self._folder = Path()
        self._table: dict[str, list[Any]] = {}  # of the last samples, where W&B logs: names, and pictures by title

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Choose the folder, on all processes together."""
        self._folder = Path(trainer.log_dir or trainer.default_root_dir) / "samples"

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the samples and write the picture, on the main process alone."""
        epoch = trainer.current_epoch
        trial = trainer.sanity_checking or trainer.fast_dev_run  # type: ignore[attr-defined]
        if trial or not trainer.is_global_zero or epoch % self.every_n_epochs:
            return
        assert isinstance(pl_module, Model), "the applications' models draw themselves"
        names, rows = self._draw(trainer, pl_module)
        picture = sheet(rows, pl_module.legend())
        self._folder.mkdir(parents=True, exist_ok=True)
        picture.save(self._folder / f"epoch_{epoch:03}.png")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("samples", [picture], step=trainer.global_step)
                self._table = {"name": short_names(names)} | {
                    title: [*map(to_picture, row)] for title, row in rows.items()
                }
            elif isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("samples", pil_to_tensor(picture), trainer.global_step)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the table of the last samples to W&B."""
        if self._table:
            log_table(trainer.loggers, "samples_table", self._table, trainer.global_step)

    @torch.no_grad()
    def _draw(self, trainer: pl.Trainer, model: Model) -> tuple[list[str], dict[str, list[torch.Tensor]]]:
        """Return the names of the samples, and by title their pictures 3 x H x W in [0, 1]."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, ResumableData), "the applications' data know their samples by index"
        dataset = data.dataset("val")
        count = min(self.count, len(dataset))
        names: list[str] = []
        rows: dict[str, list[torch.Tensor]] = {}
        for sample in range(count):  # one at a time, so that large pictures need no more memory than training
            batch = data.collate([dataset[0, sample * len(dataset) // count]])
            names += batch["name"]
            batch = trainer.precision_plugin.convert_input(trainer.strategy.batch_to_device(batch, model.device))
            with trainer.precision_plugin.val_step_context():
                column = model.draw_sample(batch)
            for title, picture in column.items():
                rows.setdefault(title, []).append(picture.float().cpu())
        return names, rows
