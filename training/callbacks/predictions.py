"""Writes what ``predict`` predicts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import BasePredictionWriter

from inference import DataError
from inference.pictures import to_picture
from training.model import Model


class PredictionWriter(BasePredictionWriter):
    """Write the predictions of ``predict`` into ``predictions/`` of the run, each under the name of its sample.

    ``NAME.png`` is the picture that the model draws of it. Where a prediction holds more than its picture, ``NAME.pt``
    has its numbers, for ``torch.load``.

    Raises:
        DataError: two samples have one name.
    """

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
        prediction: Any,
        batch_indices: Sequence[Any] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write one batch."""
        assert isinstance(pl_module, Model), "the applications' models draw themselves"
        self.folder.mkdir(parents=True, exist_ok=True)
        for each in pl_module.predictions(prediction, batch):
            file = self.folder / f"{each.name}.png"
            if file.exists():
                raise DataError(f"two samples are called {each.name}, and one prediction would be lost: rename one")
            to_picture(each.picture.float().cpu()).save(file)
            if each.values is not None:
                torch.save(to_cpu(each.values), file.with_suffix(".pt"))


def to_cpu(value: Any) -> Any:
    """Return a tensor, or a dictionary of them, on the CPU, detached from the memory of its batch."""
    if isinstance(value, dict):
        return {key: to_cpu(each) for key, each in value.items()}
    return value.detach().cpu().clone()
