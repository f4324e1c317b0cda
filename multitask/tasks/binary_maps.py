"""Binary maps: yes or no for every pixel, such as edges, floor, or what catches the eye."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryF1Score, BinaryJaccardIndex

from inference.pictures.files import whole_or_not_at_all
from losses import CrossEntropyDiceLoss
from losses.binary import BinaryLoss
from losses.convention import Loss
from losses.segmentation import RegionLoss
from multitask.data.scenes import UNKNOWN_CLASS
from multitask.tasks.criterion import ignoring, require, terms_of
from multitask.tasks.task import Better, DenseHead, Task, Totals
from multitask.tasks.writing import Place


class BinaryMaps(Task):
    """Yes or no for every pixel, by cross-entropy plus Dice or another loss; measured by IoU and F1 of what is yes.

    The target is N x H x W, integer, 255 where unknown. Predictions have the same form: the first of ``positive`` for
    yes, and the smallest other number for no.

    Args:
        target: the key of the batch that holds the map.
        positive: the numbers that are yes, from 0 to 254: 1 of a binary map, or some classes of a map of classes.
        width: channels of the head's hidden layer.
        loss: of logits and regions or labels, such as ``losses.DiceLoss``, ``losses.BCEWithLogitsLoss`` or
            ``losses.BinaryFocalLoss``, with its options; null for ``losses.CrossEntropyDiceLoss``, whose cross-entropy
            is binary here.

    Raises:
        ValueError: an option outside its range, or a loss of another kind.
    """

    better: ClassVar[Mapping[str, Better]] = {"iou": "higher", "f1": "higher"}

    def __init__(
        self, target: str = "labels", positive: Sequence[int] = (1,), width: int = 64, loss: Loss | None = None
    ) -> None:
        super().__init__(target, width)
        if not positive or not all(0 <= number < UNKNOWN_CLASS for number in positive):
            raise ValueError(f"positive must be one or more numbers from 0 to 254; got {list(positive)}")
        self.positive = list(positive)
        self.yes, self.no = positive[0], min(set(range(UNKNOWN_CLASS)) - set(positive))
        self.criterion = loss or CrossEntropyDiceLoss()
        require(self.criterion, (RegionLoss, BinaryLoss), "CrossEntropyDiceLoss or BCEWithLogitsLoss")
        self.masked = isinstance(terms_of(self.criterion)[0], BinaryLoss)
        if self.masked:
            require(self.criterion, BinaryLoss, "BCEWithLogitsLoss")
        else:
            self.criterion = ignoring(self.criterion, UNKNOWN_CLASS, "CrossEntropyDiceLoss")
        self.likelihood = self.criterion.likelihood

    def build_head(self, channels: int) -> nn.Module:
        """Build a head with one logit for each pixel."""
        return DenseHead(channels, self.width, 1)

    def truth(self, target: Tensor) -> Tensor:
        """Return a target as 1 for yes, 0 for no and 255 for unknown."""
        positive = reduce(torch.logical_or, (target == number for number in self.positive))
        return torch.where(target == UNKNOWN_CLASS, UNKNOWN_CLASS, positive.long())

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compute the loss over what is known."""
        truth = self.truth(target).unsqueeze(1)
        known = truth != UNKNOWN_CLASS
        loss: Tensor
        if self.masked:
            loss = self.criterion(prediction, torch.where(known, truth, 0), mask=known)
        else:
            loss = self.criterion(prediction, truth)
        return loss

    def decode(self, prediction: Tensor) -> Tensor:
        """Return yes where the logit is above 0, and no elsewhere."""
        return torch.where(prediction[:, 0] > 0, self.yes, self.no)

    def build_metrics(self) -> MetricCollection:
        """Build ``iou`` and ``f1`` of what is yes, over all known pixels of all pictures."""
        iou = BinaryJaccardIndex(ignore_index=UNKNOWN_CLASS, validate_args=False)
        f1 = BinaryF1Score(ignore_index=UNKNOWN_CLASS, validate_args=False)
        return MetricCollection({"iou": iou, "f1": f1})

    def update(self, metrics: MetricCollection, values: Tensor, target: Tensor) -> None:
        """Update the metrics with a batch."""
        metrics.update(self.truth(values), self.truth(target))

    def measurable(self, target: Tensor) -> list[bool]:
        """Return in which pictures something is known."""
        known: list[bool] = (self.truth(target) != UNKNOWN_CLASS).flatten(1).any(1).tolist()
        return known

    def count(self, target: Tensor) -> Totals:
        """Count the known pixels, and those of them that are yes."""
        truth = self.truth(target)
        return {"pixels": (truth != UNKNOWN_CLASS).sum().cpu(), "yes": (truth == 1).sum().cpu()}

    def start_from(self, totals: Totals, head: nn.Module) -> str:
        """Tell the share of what is yes."""
        return f"yes {float(totals['yes'] / totals['pixels']):.1%}" if totals.get("pixels") else "nothing known"

    def baseline(self, targets: Iterable[Tensor]) -> Tensor:
        """Return yes: everywhere no has neither an IoU nor an F1."""
        return torch.tensor(self.yes)

    def draw(self, values: Tensor, images: Tensor) -> Tensor:
        """Draw the picture, dark where it is no, and black where it is unknown."""
        truth = self.truth(values)
        return images * torch.where(truth == 1, 1.0, torch.where(truth == 0, 0.25, 0.0)).unsqueeze(1)

    def files(self, place: Place, name: str) -> list[Path]:
        """Return KIND/NAME.png."""
        return [place.file(name, ".png")]

    def write(self, values: Tensor, place: Place, name: str) -> None:
        """Write the numbers as a picture whose palette is white for yes, and black for no."""
        (file,) = self.files(place, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(values.numpy().astype(np.uint8), "P")
        picture.putpalette([255 if number == self.yes else 0 for number in range(256) for _ in range(3)])
        with whole_or_not_at_all(file) as unfinished:
            picture.save(unfinished)
