"""What every task has: a head on the shared features, a loss, measures, and a way to be looked at."""

import colorsys
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MetricCollection

from losses.weighting import Likelihood
from training import Network

Better = Literal["more", "less"]


class Task(Network):
    """Base of the tasks. A task of your own is one class: name it in the configuration, and it is trained.

    Attributes:
        likelihood: what its loss is like, for uncertainty weighting: ``gaussian`` like squared errors, ``laplace`` like
            absolute errors, ``categorical`` like cross-entropies.
        better: the measures, and whether more or less of them is better; the first stands for the task in tables.

    Args:
        target: the key of the batch that holds what this task shall predict.
        width: channels of the head's hidden layer, at least 1.
    """

    likelihood: ClassVar[Likelihood]
    better: ClassVar[Mapping[str, Better]]
    head: nn.Module

    def __init__(self, target: str, width: int) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1; got {width}")
        self.target = target
        self.width = width

    @abstractmethod
    def make_head(self, channels: int) -> nn.Module:
        """Make the network from the shared features, N x channels x h x w, to the prediction."""

    @abstractmethod
    def loss(self, prediction: Any, target: Any) -> Tensor:
        """Compute the loss, a scalar, over what has a label in ``target``."""

    @abstractmethod
    def decode(self, prediction: Any) -> Any:
        """Make of a prediction what it says, in the form of the target."""

    @abstractmethod
    def make_metrics(self) -> MetricCollection:
        """Make the measures, without state of other runs."""

    def measure(self, metrics: MetricCollection, values: Any, target: Any) -> None:
        """Take a batch, decoded, into the measures."""
        metrics.update(values, target)

    @abstractmethod
    def draw(self, values: Any, images: Tensor) -> Tensor:
        """Draw targets of ``images``, or decoded predictions, as pictures of their shape, N x 3 x H x W in [0, 1]."""

    def constant(self, targets: Iterable[Any]) -> Any:
        """Give what to predict without looking: one value for all places of all pictures, that expands to a target.

        Args:
            targets: of batches of the scenes that are trained on.

        Returns:
            A tensor that expands to the shape of a target; or the entry for one picture, where targets are lists. None,
            unless a task says otherwise: there is no such value.
        """
        return None

    def forward(self, features: Tensor, size: tuple[int, int]) -> Any:
        """Predict from the shared features; maps are brought to ``size``, height and width of the pictures."""
        prediction: Tensor = self.head(features)
        if prediction.dim() == 4 and prediction.shape[2:] != size:
            prediction = F.interpolate(prediction, size, mode="bilinear", align_corners=False)
        return prediction


def dense_head(channels: int, width: int, outputs: int) -> nn.Sequential:
    """Make a head for a prediction at every place: a 3 x 3 convolution with batch norm, and a 1 x 1 one.

    Args:
        channels: of the shared features.
        width: of the hidden layer.
        outputs: numbers that are predicted at each place.
    """
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, outputs, 1),
    )


def palette(classes: int) -> Tensor:
    """Make a colour for each class, classes x 3 in [0, 1]: the golden ratio takes neighbours far apart."""
    colours = [
        colorsys.hsv_to_rgb(0.618 * c % 1, 0.55 + 0.4 * (c % 2), 0.95 - 0.25 * (c % 3 == 2)) for c in range(classes)
    ]
    return torch.tensor(colours)


def paint(values: Tensor, classes: int) -> Tensor:
    """Paint classes N x H x W with the colours of the palette; classes outside [0, classes) become black."""
    known = (values >= 0) & (values < classes)
    pictures = palette(classes).to(values.device)[torch.where(known, values, 0)] * known.unsqueeze(-1)
    return pictures.movedim(-1, 1)
