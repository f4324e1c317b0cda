"""Classification: one class for the whole picture."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from multitask.tasks.class_task import ClassTask
from multitask.tasks.task import Better, paint


class Classification(ClassTask):
    """Classification of pictures by cross-entropy; measured by accuracy.

    The target is N, integer.

    Args:
        classes: how many, at least 2.
        target: the key of the batch that holds the classes.
        ignore_index: pictures of this class do not count.
        width: channels of the head's hidden layer.
    """

    better: ClassVar[Mapping[str, Better]] = {"accuracy": "more"}

    def __init__(self, classes: int, target: str = "class", ignore_index: int = 255, width: int = 64) -> None:
        super().__init__(classes, target, ignore_index, width)

    def make_head(self, channels: int) -> nn.Module:
        """Make a head that takes the mean over the picture, and gives a logit for each class."""
        return nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, self.width),
            nn.ReLU(),
            nn.Linear(self.width, self.classes),
        )

    def make_metrics(self) -> MetricCollection:
        """Make ``accuracy``, the share of pictures whose likeliest class is the true one."""
        return MetricCollection({"accuracy": self.make_accuracy()})

    def draw(self, values: Tensor, images: Tensor) -> Tensor:
        """Draw the pictures over a band in the colour of the class, an eighth of their height; black if ignored."""
        band = images.shape[2] // 8
        colours = paint(values.long().view(-1, 1, 1).expand(-1, band, images.shape[3]), self.classes)
        return torch.cat([images[:, :, : images.shape[2] - band], colours], 2)
