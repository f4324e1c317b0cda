"""Pictures of the model's output for the same samples, epoch by epoch, to watch it learn."""

from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from PIL import Image
from torchvision.transforms.v2.functional import pil_to_tensor

from inference.pictures import sheet
from training.data import ResumableData
from training.model import Model


class SamplePictures(pl.Callback):
    """Write ``samples/epoch_NNN.png`` after each validation: the model's output for the same samples each time.

    The samples are spread evenly over the validation split. Each is a column, drawn by the model: for pix2pix the
    input, the output and the target; for several tasks the image, then target and prediction of each task, and a legend
    of the classes below. The
    pictures go to TensorBoard and to Weights & Biases too where the run logs there.

    Args:
        count: how many samples, side by side, at least 1.
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
        """Draw the samples and write the picture, on the main process alone."""
        epoch = trainer.current_epoch
        trial = trainer.sanity_checking or trainer.fast_dev_run  # type: ignore[attr-defined]
        if trial or not trainer.is_global_zero or epoch % self.every_n_epochs:
            return
        picture = self._draw(trainer, pl_module)
        self._folder.mkdir(parents=True, exist_ok=True)
        picture.save(self._folder / f"epoch_{epoch:03}.png")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("samples", [picture], step=trainer.global_step)
            elif isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("samples", pil_to_tensor(picture), trainer.global_step)

    @torch.no_grad()
    def _draw(self, trainer: pl.Trainer, model: pl.LightningModule) -> Image.Image:
        data = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(model, Model), "the applications' models draw themselves"
        assert isinstance(data, ResumableData), "the applications' data know their samples by index"
        dataset = data.dataset("val")
        count = min(self.count, len(dataset))
        rows: dict[str, list[torch.Tensor]] = {}
        for sample in range(count):  # one at a time, so that large pictures need no more memory than training
            batch = data.collate([dataset[0, sample * len(dataset) // count]])
            batch = trainer.precision_plugin.convert_input(trainer.strategy.batch_to_device(batch, model.device))
            with trainer.precision_plugin.val_step_context():
                column = model.draw_sample(batch)
            for title, picture in column.items():
                rows.setdefault(title, []).append(picture.float().cpu())
        return sheet(rows, model.legend())
