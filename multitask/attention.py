"""Soft sharing: each task attends to its own part of the shared features."""

from torch import Tensor, nn


class TaskAttention(nn.Module):
    r"""A task's own features, behind a soft mask over the shared ones, in the manner of MTAN (Liu et al. 2019).

    .. math:: \hat z = f(\sigma(g(z)) \odot z)

    g is two 1 x 1 convolutions and f a 3 x 3 one, each with batch norm, f with ReLU after it. So the task chooses which
    features it uses at which place, while all of them stay shared. MTAN attends at every level of the encoder; this
    attends once, to what all levels have become.

    Args:
        channels: of the shared features, and of the task's own.
    """

    def __init__(self, channels: int) -> None:
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

    def forward(self, features: Tensor) -> Tensor:
        """Compute the task's features, of the shape of the shared ``features``, N x channels x h x w."""
        own: Tensor = self.refine(self.mask(features) * features)
        return own
