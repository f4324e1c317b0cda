"""Semantic segmentation: the class of every pixel."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassJaccardIndex

from inference.pictures import paint, palette, write_picture
from inference.pictures.files import whole_or_not_at_all
from losses.convention import Loss
from multitask.tasks.class_task import ClassTask, WeightsOfClasses
from multitask.tasks.task import Better, DenseHead
from multitask.tasks.writing import Place, Written, write_json


class Segmentation(ClassTask):
    """Semantic segmentation, by cross-entropy or another loss; measured by mean IoU, and the accuracy of pixels.

    The target is N x H x W, integer.

    Args:
        classes: how many, at least 2.
        target: the key of the batch that holds the labels.
        ignore_index: pixels with this label do not count.
        width: channels of the head's hidden layer.
        names: of the classes, for what is written; null for their numbers.
        loss: of logits and classes, such as ``losses.FocalLoss``, ``losses.LovaszLoss`` or a ``losses.SumLoss`` of
            several, with its options; null for ``losses.CrossEntropyLoss``. Its ``ignore_index`` is the task's.
        class_weights: in the loss: a number >= 0 for each class; ``balanced`` for weights with which all classes count
            alike, from how often they are in the training targets; null for none.
    """

    better: ClassVar[Mapping[str, Better]] = {"miou": "higher", "pixel_accuracy": "higher"}

    def __init__(
        self,
        classes: int,
        target: str = "labels",
        ignore_index: int = 255,
        width: int = 64,
        names: Sequence[str] | None = None,
        loss: Loss | None = None,
        class_weights: WeightsOfClasses = None,
    ) -> None:
        super().__init__(classes, target, ignore_index, width, names, loss, class_weights)

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

    def files(self, place: Place, name: str) -> list[Path]:
        """Return KIND/NAME.png."""
        return [place.file(name, ".png")]

    def write(self, values: Tensor, place: Place, name: str) -> None:
        """Write the numbers of the classes as a picture whose palette has the colors that they are drawn in.

        More than 256 classes, which no palette has, are gray values of 16 bits.
        """
        (file,) = self.files(place, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        if self.classes > 256:
            write_picture(file, values.numpy().astype(np.uint16)[..., None])
            return
        picture = Image.fromarray(values.numpy().astype(np.uint8), "P")
        picture.putpalette([number for color in self._colors() for number in color])
        with whole_or_not_at_all(file) as unfinished:
            picture.save(unfinished)

    def shared_files(self, place: Place) -> list[Path]:
        """Return KIND.json."""
        return [place.shared(".json")]

    def write_shared(self, place: Place, pictures: Sequence[Written]) -> None:
        """Write the number, the name and the color of each class."""
        classes = enumerate(zip(self.names, self._colors(), strict=True))
        write_json(
            place.shared(".json"),
            [{"id": number, "name": name, "color": color} for number, (name, color) in classes],
        )

    def _colors(self) -> list[list[int]]:
        """Red, green and blue of each class, of 8 bits."""
        colors: list[list[int]] = (255 * palette(self.classes)).round().int().tolist()
        return colors
