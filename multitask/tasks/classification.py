"""Classification: one class for the whole picture."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from inference.pictures import paint
from inference.pictures.files import whole_or_not_at_all
from losses.convention import Loss
from multitask.tasks.class_task import ClassTask, WeightsOfClasses
from multitask.tasks.task import Better
from multitask.tasks.writing import Place, Written


class Classification(ClassTask):
    """Classification of pictures, by cross-entropy or another loss; measured by accuracy.

    The target is N, integer.

    Args:
        classes: how many, at least 2.
        target: the key of the batch that holds the classes.
        ignore_index: pictures of this class do not count.
        width: channels of the head's hidden layer.
        names: of the classes, for what is written; null for their numbers.
        loss: of logits and classes, such as ``losses.FocalLoss`` or ``losses.ProbabilityL1Loss``, with its options;
            null for ``losses.CrossEntropyLoss``. Its ``ignore_index`` is the task's.
        class_weights: in the loss: a number >= 0 for each class; ``balanced`` for weights with which all classes count
            alike, from how often they are in the training targets; null for none.
    """

    better: ClassVar[Mapping[str, Better]] = {"accuracy": "higher"}

    def __init__(
        self,
        classes: int,
        target: str = "class",
        ignore_index: int = 255,
        width: int = 64,
        names: Sequence[str] | None = None,
        loss: Loss | None = None,
        class_weights: WeightsOfClasses = None,
    ) -> None:
        super().__init__(classes, target, ignore_index, width, names, loss, class_weights)

    def build_head(self, channels: int) -> nn.Module:
        """Build a head that takes the mean over the picture and computes a logit for each class."""
        return PictureHead(channels, self.width, self.classes)

    def build_metrics(self) -> MetricCollection:
        """Build ``accuracy``, the share of pictures whose most likely class is the true one."""
        return MetricCollection({"accuracy": self.build_accuracy()})

    def draw(self, values: Tensor, images: Tensor) -> Tensor:
        """Draw the pictures over a band in the color of the class, an eighth of their height; black if ignored."""
        band = images.shape[2] // 8
        colors = paint(values.long().view(-1, 1, 1).expand(-1, band, images.shape[3]), self.classes)
        return torch.cat([images[:, :, : images.shape[2] - band], colors], 2)

    def files(self, place: Place, name: str) -> list[Path]:
        """Return none: there is one file for all pictures."""
        return []

    def write(self, values: Tensor, place: Place, name: str) -> int:
        """Return the class, for that file."""
        return int(values)

    def shared_files(self, place: Place) -> list[Path]:
        """Return classes.csv, as ``Folders`` reads it; for a target of another name KIND.csv."""
        return [place.folder / "classes.csv" if place.kind == "class" else place.shared(".csv")]

    def write_shared(self, place: Place, pictures: Sequence[Written]) -> None:
        """Write a row for each picture: its name, and the number and the name of its class."""
        (file,) = self.shared_files(place)
        with whole_or_not_at_all(file) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as lines:
            rows = csv.writer(lines)
            rows.writerow(["name", "class", "class_name"])
            rows.writerows([each.source.name, each.kept, self.names[each.kept]] for each in pictures)


class PictureHead(nn.Sequential):
    """A head for one prediction for the whole picture: the mean of the features, and two linear layers.

    Args:
        channels: of the shared features.
        width: of the hidden layer.
        outputs: numbers that are predicted for each picture.
    """

    def __init__(self, channels: int, width: int, outputs: int) -> None:
        super().__init__(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, width),
            nn.ReLU(),
            nn.Linear(width, outputs),
        )

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:  # type: ignore[override]  # one more
        """Predict N x outputs from features N x channels x h x w; the ``size`` of the pictures does not matter."""
        prediction: Tensor = super().forward(features)
        return prediction
