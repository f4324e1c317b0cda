"""Soft sharing: each task attends to its own part of the shared features."""

from typing import Any

from torch import Tensor, nn

from inference.sizes import Size


class AttendingHead(nn.Module):
    r"""A head behind a soft attention mask over the shared features, in the manner of MTAN (Liu et al. 2019).

    .. math:: \hat z = f(\sigma(g(z)) \odot z)

    g is two 1 x 1 convolutions and f a 3 x 3 one, each with batch norm, f with ReLU after it. So the task chooses which
    features it uses at which place, while all of them stay shared. MTAN attends at every level of the encoder; this
    attends once, to what all levels have become.

    Args:
        head: of the task.
        channels: of the shared features.
    """

    def __init__(self, head: nn.Module, channels: int) -> None:
        super().__init__()
        self.mask = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.Sigmoid(),
        )
        self.refine = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.head = head

    def attend(self, features: Tensor) -> Tensor:
        """Compute the task's own features, of the same shape."""
        own: Tensor = self.refine(self.mask(features) * features)
        return own

    def forward(self, features: Tensor, size: Size) -> Any:
        """Predict from features N x channels x h x w of pictures of ``size``."""
        return self.head(self.attend(features), size)
