"""The base of tasks that choose among classes, for a pixel or for a picture."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from losses import CrossEntropyLoss
from multitask.tasks.task import Task, class_names


class ClassTask(Task):
    """Base of tasks that choose one of several classes by cross-entropy: N x C x ... logits, N x ... classes.

    Args:
        classes: how many, at least 2.
        target: the key of the batch that holds the classes.
        ignore_index: what is of this class does not count.
        width: channels of the head's hidden layer.
        names: of the classes; None for their numbers.
    """

    likelihood = "categorical"

    def __init__(
        self, classes: int, target: str, ignore_index: int, width: int, names: Sequence[str] | None = None
    ) -> None:
        super().__init__(target, width)
        if classes < 2:
            raise ValueError(f"classes must be at least 2; got {classes}")
        self.classes = classes
        self.ignore_index = ignore_index
        self.names = class_names(classes, names)
        self.cross_entropy = CrossEntropyLoss(ignore_index=ignore_index)

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compute the cross-entropy over what is labeled."""
        loss: Tensor = self.cross_entropy(prediction, target)
        return loss

    def check(self, target: Tensor, size: tuple[int, int]) -> None:
        """Require classes from 0 to classes - 1, or the one to ignore."""
        wrong = (target != self.ignore_index) & ((target < 0) | (target >= self.classes))
        if wrong.any():
            raise ValueError(
                f"target must hold classes from 0 to {self.classes - 1}, or {self.ignore_index} to ignore; "
                f"got {target[wrong][0].item()}"
            )

    def build_accuracy(self) -> MulticlassAccuracy:
        """Build the share of what is labeled whose most likely class is the true one."""
        return MulticlassAccuracy(self.classes, average="micro", ignore_index=self.ignore_index, validate_args=False)

    def decode(self, prediction: Tensor) -> Tensor:
        """Return the most likely class."""
        return prediction.argmax(1)

    def update(self, metrics: MetricCollection, values: Tensor, target: Tensor) -> None:
        """Update the metrics with the classes of a batch."""
        metrics.update(values, target.long())

    def baseline(self, targets: Iterable[Tensor]) -> Tensor:
        """Return the most frequent class."""
        counts = torch.zeros(self.classes, dtype=torch.int64)
        for target in targets:
            known = target[(target != self.ignore_index) & (target >= 0) & (target < self.classes)]
            counts += known.flatten().cpu().bincount(minlength=self.classes)
        return counts.argmax()
