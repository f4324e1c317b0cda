"""Writes what ``predict`` translates."""

from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from pix2pix.metrics import unit_range
from pix2pix.module import Batch


class PredictionWriter(BasePredictionWriter):
    """Write one PNG for every input of ``predict``, under the pair's name, into ``predictions/`` of the run."""

    def __init__(self) -> None:
        super().__init__(write_interval="batch")
        self.folder = Path()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Choose the folder, on all processes together."""
        super().setup(trainer, pl_module, stage)
        self.folder = Path(trainer.log_dir or trainer.default_root_dir) / "predictions"

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        prediction: Tensor,
        batch_indices: Sequence[int] | None,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write one batch."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, picture in zip(batch["name"], unit_range(prediction.float()).cpu(), strict=True):
            to_pil_image(picture.mul(255).round().byte()).save(self.folder / f"{name}.png")
