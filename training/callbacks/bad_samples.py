"""Tell of the training samples that could not be read and were left out."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from torch import Tensor

from inference import DataError
from training.data import ResumableData

FILE = "skipped.txt"
KEY = "bad_samples"  # in checkpoints
NAMED = 3


class BadSamples(pl.Callback):
    """Where the data skip bad samples, log their number as ``skipped`` after each epoch, and list them at the end.

    ``skipped.txt`` in the run's folder has a line for each, with what is wrong with it. A resumed run leaves out what
    was left out before, so that it trains on what a run that never stopped does.
    """

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log how many samples are left out."""
        if (bad := _bad_of(trainer)) is not None:
            pl_module.log("skipped", float(_of_all_processes(trainer, bad).sum()))

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """List them."""
        folder = trainer.log_dir  # asked of all processes together
        if (bad := _bad_of(trainer)) is None:
            return
        indices = _of_all_processes(trainer, bad).nonzero().flatten().tolist()
        if not indices or not trainer.is_global_zero:
            return
        reasons = [_reason(trainer.datamodule, index) for index in indices]  # type: ignore[attr-defined]
        more = f"; and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
        where = ""
        if folder is not None:
            Path(folder, FILE).write_text("\n".join(reasons) + "\n", encoding="utf-8")
            where = f", all in {Path(folder, FILE)}"
        print(f"{len(reasons)} training samples were skipped{where}: {'; '.join(reasons[:NAMED])}{more}")

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep which samples are left out so far."""
        if (bad := _bad_of(trainer)) is not None:
            checkpoint[KEY] = _of_all_processes(trainer, bad).nonzero().flatten().tolist()

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Leave out what was left out before."""
        if (bad := _bad_of(trainer)) is not None and checkpoint.get(KEY):
            bad[checkpoint[KEY]] = True


def _bad_of(trainer: pl.Trainer) -> Tensor | None:
    data = trainer.datamodule  # type: ignore[attr-defined]
    return data.bad("train") if isinstance(data, ResumableData) else None


def _of_all_processes(trainer: pl.Trainer, bad: Tensor) -> Tensor:
    return trainer.strategy.reduce(bad.int().to(trainer.strategy.root_device), reduce_op="sum").bool()


def _reason(data: ResumableData[Any], index: int) -> str:
    """Return why a sample cannot be read."""
    dataset = data.dataset("train")
    dataset.bad = None
    try:
        dataset[0, index]
    except (DataError, OSError) as error:
        return " ".join(str(error).split())
    return f"training sample {index}: it can be read again"
