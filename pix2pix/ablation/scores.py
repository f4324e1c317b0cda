"""Scores of translated test pictures: their kernel distance to real ones, and how often a classifier tells them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from inference.lite0 import Lite0Features
from inference.pictures import as_rgb
from pix2pix.ablation.classifier import LinearClassifier
from pix2pix.ablation.kernel_distance import kernel_distance
from pix2pix.data import PairedImages
from pix2pix.metrics import unit_range
from pix2pix.translator import Translator
from training.data import Split

SIDE = 128  # pixels that pictures are resized to before EfficientNet-Lite0 looks; it was trained with 224
BATCH = 32  # pictures that it looks at together
ClassOf = Callable[[str], str]


class Judge:
    """Scores pictures beside the real ones of a data set, by what EfficientNet-Lite0 sees in them.

    ``kid`` is the kernel distance to the training targets, which are independent of the test pairs. ``accuracy`` is
    that of a classifier that has been trained on the training targets, with the validation targets to choose its weight
    decay: what the paper's FCN score is for labels of pixels.

    Args:
        data: the pairs.
        class_of: the class of a pair by its name; None leaves the accuracy out.

    Raises:
        DataError: the pairs cannot be read.
        ModuleNotFoundError: EfficientNet-Lite0 is not installed.
    """

    def __init__(self, data: PairedImages, class_of: ClassOf | None = None) -> None:
        self._data = data
        self._lite0 = Lite0Features()
        self.inputs, self.targets, names = self._pairs("test")
        _, real, real_names = self._pairs("train")
        self._real = self._look(real)
        self._labels: list[str] = []
        self._classifier = None
        if class_of is not None:
            self._labels = [class_of(name) for name in names]
            _, held_out, held_out_names = self._pairs("val")
            known = [[class_of(name) for name in each] for each in (real_names, held_out_names)]
            self._classifier = LinearClassifier(self._real, known[0], self._look(held_out), known[1])

    def score(self, pictures: Sequence[Tensor]) -> dict[str, float]:
        """Return ``kid``, and ``accuracy`` if pairs have classes.

        Args:
            pictures: C x H x W in [-1, 1], one for each test pair, in order.
        """
        features = self._look(pictures)
        scores = {"kid": kernel_distance(features, self._real)}
        if self._classifier is not None:
            scores["accuracy"] = self._classifier.accuracy(features, self._labels)
        return scores

    def translate(self, checkpoint: Path) -> list[Tensor]:
        """Translate the test inputs with a checkpoint: C x H x W in [-1, 1] each."""
        translator = Translator(checkpoint)
        return [translator.run(source[None].to(translator.device))[0].cpu() for source in self.inputs]

    def _pairs(self, split: Split) -> tuple[list[Tensor], list[Tensor], list[str]]:
        """The inputs, targets and names of a split, as evaluation sees them."""
        dataset = self._data.dataset(split)
        pairs = [dataset[0, index] for index in range(len(dataset))]
        return [each["input"] for each in pairs], [each["target"] for each in pairs], [each["name"] for each in pairs]

    @torch.no_grad()
    def _look(self, pictures: Sequence[Tensor]) -> Tensor:
        """The features of pictures, N x 1280, in float64."""
        resized = [
            F.interpolate(as_rgb(unit_range(each.float()))[None], (SIDE, SIDE), mode="bilinear", antialias=True)
            for each in pictures
        ]
        return torch.cat([self._lite0.pooled(torch.cat(part)).double() for part in _parts(resized)])


def _parts(pictures: list[Tensor]) -> list[list[Tensor]]:
    return [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
