"""What every task has: a head on the shared features, a loss, measures, and a way to be looked at."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MetricCollection


class Task(nn.Module, ABC):
    """Base of the tasks. A task of your own is one class: name it in the configuration, and it is trained.

    Args:
        target: the key of the batch that holds what this task shall predict.
        width: channels of the head's hidden layer, at least 1.
    """

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
    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compute the loss, a scalar, over what has a label in ``target``."""

    @abstractmethod
    def make_metrics(self) -> MetricCollection:
        """Make the measures, without state of other runs."""

    @abstractmethod
    def measure(self, metrics: MetricCollection, prediction: Tensor, target: Tensor) -> None:
        """Take a batch into the measures."""

    @abstractmethod
    def draw(self, values: Tensor) -> Tensor:
        """Draw predictions, or targets, as pictures N x 3 x H x W in [0, 1]."""

    def forward(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """Predict from the shared features, for pictures of ``size`` (height and width)."""
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


def paint(values: Tensor, colours: Tensor) -> Tensor:
    """Paint classes N x H x W with colours C x 3 in [0, 1]; classes outside [0, C) become black."""
    known = (values >= 0) & (values < len(colours))
    pictures = colours.to(values.device)[torch.where(known, values, 0)] * known.unsqueeze(-1)
    return pictures.movedim(-1, 1)
