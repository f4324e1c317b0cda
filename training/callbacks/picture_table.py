"""The metrics of every test sample by itself, as a table."""

from itertools import zip_longest
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from inference.picture_table import FILE, short_names, write_picture_table
from training.model import Model

Row = tuple[str, dict[str, float]]


class PictureTable(pl.Callback):
    """Write ``pictures.csv`` after a test: a row for each sample, in the order of the split, with its metrics.

    The model measures what its ``test_step`` returns, see :meth:`training.Model.measure_pictures`.

    Attributes:
        rows: of all processes, on the main one, after a test: the names of the samples, and their metrics.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._names: list[str] = []
        self._metrics: list[dict[str, Tensor]] = []

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget an earlier test."""
        self.rows, self._names, self._metrics = [], [], []

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the metrics of a batch, where they are."""
        self._names += batch["name"]
        assert isinstance(pl_module, Model), "the applications' models measure themselves"
        self._metrics.append(pl_module.measure_pictures(batch, outputs))

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Gather the rows of all processes and write them, on the main process alone."""
        folder = Path(trainer.log_dir or trainer.default_root_dir)  # asked of all processes together
        processes: list[Any] = [self._own_rows()]
        if trainer.world_size > 1:
            processes = [None] * trainer.world_size
            torch.distributed.all_gather_object(processes, self._own_rows())
        # Process r of n has the samples r, r + n, ...: see EpochBatchSampler.
        self.rows = [row for turn in zip_longest(*processes) for row in turn if row is not None]
        if self.rows and trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            folder.mkdir(parents=True, exist_ok=True)
            write_picture_table(folder / FILE, short_names([name for name, _ in self.rows]), self.columns())

    def columns(self) -> dict[str, list[float]]:
        """Return the metrics of all samples, by the names of the metrics."""
        return {key: [metrics[key] for _, metrics in self.rows] for key in self.rows[0][1]}

    def _own_rows(self) -> list[Row]:
        if not self._metrics:
            return []
        columns = {key: torch.cat([batch[key] for batch in self._metrics]).tolist() for key in self._metrics[0]}
        # A model may have no metric of single samples: each has a row all the same.
        return [(name, {key: column[at] for key, column in columns.items()}) for at, name in enumerate(self._names)]
