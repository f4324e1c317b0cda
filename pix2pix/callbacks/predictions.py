"""Writes what ``predict`` translates."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
from lightning.pytorch.callbacks import BasePredictionWriter

from inference import DataError, write_picture
from inference.pictures import ending_for
from pix2pix.module import Pix2Pix


class PredictionWriter(BasePredictionWriter):
    """Write the translations of ``predict`` into ``predictions/`` of the run, each under the name of its pair.

    They have the depth and the units of the targets, as those of ``translate``: PNG where that holds them, or TIFF.
    Pixels that are unknown in a pair are NaN, where a translation can be.

    Raises:
        DataError: two pairs have one name, or it would lead out of the folder.
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
        assert isinstance(pl_module, Pix2Pix)
        self.folder.mkdir(parents=True, exist_ok=True)
        for index, (name, output) in enumerate(zip(batch["name"], prediction, strict=True)):
            if Path(name).name != name or name.startswith("."):
                raise DataError(
                    f"a pair is called {name!r}, which is no name of a file: its layout must name it otherwise"
                )
            array = pl_module.formats.target.to_array(output)
            if "known" in batch and array.dtype.kind == "f":
                array[~batch["known"][index, 0].cpu().numpy()] = np.nan
            file = self.folder / f"{name}{ending_for(array.dtype, array.shape[2])}"
            if file.exists():
                raise DataError(f"two pairs are called {name}, and one translation would be lost: rename one")
            write_picture(file, array)
