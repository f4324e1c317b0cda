"""Print what a run trains on before it starts."""

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_only

from training.data import ResumableData, Split


class DataSummary(pl.Callback):
    """Print a line for each split before the first step: the number of samples and, for several tasks, of each target.

    Then what else the data tell of themselves, such as the window of values that the network sees.

    A missing test split is reported here as well, rather than after hours of training.
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
        for line in data.describe():
            print(line)
