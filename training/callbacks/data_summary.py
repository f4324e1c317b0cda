"""Print what a run trains on before it starts."""

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_only

from training.data import ResumableData, Split


class DataSummary(pl.Callback):
    """Print a line for each split before the first step: the number of samples and, for several tasks, of each target.

    Then what else the data tell of themselves, such as the window of values that the network sees.

    A missing test split is reported here as well, rather than after hours of training. What the data keep in a cache is
    read here, before the first progress bar.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the lines, and fill the caches in all processes: those that wait wait for no exchange of tensors."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, ResumableData):
            _tell(data)
            data.fill_caches()


@rank_zero_only
def _tell(data: ResumableData[Any]) -> None:
    splits: tuple[Split, ...] = ("train", "val")
    why_no_test = data.why_no_test()
    for split in splits if why_no_test else (*splits, "test"):
        print(f"{split}: {data.layout(split).describe()}")
    if why_no_test:
        print(f"test: none, so the run ends without a test ({why_no_test})")
    for line in data.describe():
        print(line)
