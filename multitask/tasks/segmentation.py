"""Semantic segmentation: the class of every pixel."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from losses import CrossEntropyLoss
from multitask.tasks.task import Better, Task, dense_head, most_frequent, paint


class Segmentation(Task):
    """Semantic segmentation by cross-entropy; measured by the mean IoU of the classes, and the accuracy of pixels.

    The target is N x H x W, integer.

    Args:
        classes: how many, at least 2.
        target: the key of the batch that holds the labels.
        ignore_index: pixels with this label do not count.
        width: channels of the head's hidden layer.
    """

    likelihood = "categorical"
    better: ClassVar[Mapping[str, Better]] = {"miou": "more", "pixel_accuracy": "more"}

    def __init__(self, classes: int, target: str = "labels", ignore_index: int = 255, width: int = 64) -> None:
        super().__init__(target, width)
        if classes < 2:
            raise ValueError(f"classes must be at least 2; got {classes}")
        self.classes = classes
        self.ignore_index = ignore_index
        self.cross_entropy = CrossEntropyLoss(ignore_index=ignore_index)

    def make_head(self, channels: int) -> nn.Module:
        """Make a head that gives a logit for each class at every place."""
        return dense_head(channels, self.width, self.classes)

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compute the cross-entropy over labelled pixels."""
        loss: Tensor = self.cross_entropy(prediction, target)
        return loss

    def decode(self, prediction: Tensor) -> Tensor:
        """Give the likeliest class of every pixel."""
        return prediction.argmax(1)

    def make_metrics(self) -> MetricCollection:
        """Make ``miou``, the mean over classes that are predicted or true somewhere, and ``pixel_accuracy``."""
        miou = MulticlassJaccardIndex(self.classes, ignore_index=self.ignore_index, validate_args=False)
        accuracy = MulticlassAccuracy(
            self.classes, average="micro", ignore_index=self.ignore_index, validate_args=False
        )
        return MetricCollection({"miou": miou, "pixel_accuracy": accuracy})

    def measure(self, metrics: MetricCollection, values: Tensor, target: Tensor) -> None:
        """Take the classes of a batch into the measures."""
        metrics.update(values, target.long())

    def draw(self, values: Tensor, images: Tensor) -> Tensor:
        """Paint each class with a colour of its own, ignored pixels black."""
        return paint(values.long(), self.classes)

    def constant(self, targets: Iterable[Tensor]) -> Tensor:
        """Give the most frequent class."""
        return most_frequent(targets, self.classes)
