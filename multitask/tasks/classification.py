"""Classification: one class for the whole picture."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from losses import CrossEntropyLoss
from multitask.tasks.task import Better, Task, most_frequent, paint


class Classification(Task):
    """Classification of pictures by cross-entropy; measured by accuracy.

    The target is N, integer.

    Args:
        classes: how many, at least 2.
        target: the key of the batch that holds the classes.
        ignore_index: pictures of this class do not count.
        width: channels of the head's hidden layer.
    """

    likelihood = "categorical"
    better: ClassVar[Mapping[str, Better]] = {"accuracy": "more"}

    def __init__(self, classes: int, target: str = "class", ignore_index: int = 255, width: int = 64) -> None:
        super().__init__(target, width)
        if classes < 2:
            raise ValueError(f"classes must be at least 2; got {classes}")
        self.classes = classes
        self.ignore_index = ignore_index
        self.cross_entropy = CrossEntropyLoss(ignore_index=ignore_index)

    def make_head(self, channels: int) -> nn.Module:
        """Make a head that takes the mean over the picture, and gives a logit for each class."""
        return nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, self.width),
            nn.ReLU(),
            nn.Linear(self.width, self.classes),
        )

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compute the cross-entropy over labelled pictures."""
        loss: Tensor = self.cross_entropy(prediction, target)
        return loss

    def decode(self, prediction: Tensor) -> Tensor:
        """Give the likeliest class of every picture."""
        return prediction.argmax(1)

    def make_metrics(self) -> MetricCollection:
        """Make ``accuracy``, the share of pictures whose likeliest class is the true one."""
        accuracy = MulticlassAccuracy(
            self.classes, average="micro", ignore_index=self.ignore_index, validate_args=False
        )
        return MetricCollection({"accuracy": accuracy})

    def measure(self, metrics: MetricCollection, values: Tensor, target: Tensor) -> None:
        """Take the classes of a batch into the measures."""
        metrics.update(values, target.long())

    def draw(self, values: Tensor, images: Tensor) -> Tensor:
        """Draw the pictures over a band in the colour of the class, an eighth of their height; black if ignored."""
        band = images.shape[2] // 8
        colours = paint(values.long().view(-1, 1, 1).expand(-1, band, images.shape[3]), self.classes)
        return torch.cat([images[:, :, : images.shape[2] - band], colours], 2)

    def constant(self, targets: Iterable[Tensor]) -> Tensor:
        """Give the most frequent class."""
        return most_frequent(targets, self.classes)
