"""Semantic segmentation: the class of every pixel."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassJaccardIndex

from multitask.tasks.class_task import ClassTask
from multitask.tasks.task import Better, DenseHead, paint


class Segmentation(ClassTask):
    """Semantic segmentation by cross-entropy; measured by the mean IoU of the classes, and the accuracy of pixels.

    The target is N x H x W, integer.

    Args:
        classes: how many, at least 2.
        target: the key of the batch that holds the labels.
        ignore_index: pixels with this label do not count.
        width: channels of the head's hidden layer.
    """

    better: ClassVar[Mapping[str, Better]] = {"miou": "higher", "pixel_accuracy": "higher"}

    def __init__(self, classes: int, target: str = "labels", ignore_index: int = 255, width: int = 64) -> None:
        super().__init__(classes, target, ignore_index, width)

    def build_head(self, channels: int) -> nn.Module:
        """Build a head that computes a logit for each class at every pixel."""
        return DenseHead(channels, self.width, self.classes)

    def build_metrics(self) -> MetricCollection:
        """Build ``miou``, the mean over classes that are predicted or true somewhere, and ``pixel_accuracy``."""
        miou = MulticlassJaccardIndex(self.classes, ignore_index=self.ignore_index, validate_args=False)
        return MetricCollection({"miou": miou, "pixel_accuracy": self.build_accuracy()})

    def draw(self, values: Tensor, images: Tensor) -> Tensor:
        """Paint each class in its own color, and ignored pixels black."""
        return paint(values.long(), self.classes)
