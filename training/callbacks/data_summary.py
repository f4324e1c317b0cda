"""Says what a run trains on before it starts."""

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_only

from training.data import ResumableData, Split


class DataSummary(pl.Callback):
    """Print a line for each split before the first step: how many samples it has and, of several targets, how many.

    A missing test split is said here, too, and not after hours of training.
    """

    @rank_zero_only
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the lines."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, ResumableData):
            return
        splits: tuple[Split, ...] = ("train", "val")
        why_no_test = data.why_no_test()
        for split in splits if why_no_test else (*splits, "test"):
            print(f"{split}: {data.layout(split).describe()}")
        if why_no_test:
            print(f"test: none, so the run ends without a test ({why_no_test})")
