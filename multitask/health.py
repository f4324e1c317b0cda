"""The health of a training of several tasks."""

from collections.abc import Sequence

import lightning.pytorch as pl

from multitask.module import MultiTask
from training.callbacks import Gap, Health, Sign


class MultiTaskHealth(Health):
    """Look for tasks whose samples are learned by heart, write what is found to ``health.csv``, and warn.

    A task that has been bad for ``patience`` epochs is told in a line, once in a run, and again when training ends.

    Args:
        patience: for how many epochs in a row a task must be bad before it is told, at least 1.
        after: epochs that end before so many steps are not judged, as nothing is learned yet; at least 0.
        every: the first step of an epoch and each so many after it are looked at, at least 1.
        gap: a task is bad if its loss in validation is above this times that in training; null silences this.
    """

    def __init__(self, patience: int = 3, after: int = 200, every: int = 20, gap: float | None = 3.0) -> None:
        super().__init__(patience, after, every)
        self.gap = gap

    def signs(self, model: pl.LightningModule) -> Sequence[Sign]:
        """Return a sign for each task."""
        assert isinstance(model, MultiTask)
        advice = "add scenes or augmentation, stop earlier, or take a smaller encoder; best.ckpt is from before"
        return [
            Gap(
                name,
                [f"train/{name}_{part}" for part in task.parts] or [f"train/{name}"],
                f"val/{name}",
                self.gap,
                advice,
            )
            for name, task in model.named_tasks().items()
        ]
