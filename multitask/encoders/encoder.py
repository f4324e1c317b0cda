"""The base of the encoders: the shape of their features, and their own normalization of pictures."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from inference import Network, Recipe


class Encoder(Network):
    """Base of the encoders: from pictures N x 3 x H x W in [0, 1] to features N x C x H/``stride`` x W/``stride``.

    An encoder normalizes the pictures itself, as its weights expect it (see :class:`Normalize`): so data, drawn
    pictures and weights from elsewhere cannot disagree.

    Args:
        channels: C, of the features.
        stride: how many pixels a feature stands for, along each side.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels = channels
        self.stride = stride

    def recipe(self) -> Recipe:
        """Return how to build this encoder; weights from elsewhere are left out, as a checkpoint has its own."""
        recipe = super().recipe()
        if "weights" in recipe["init_args"]:
            recipe["init_args"]["weights"] = None
        return recipe


class Normalize(nn.Module):
    """Subtract a mean from pictures in [0, 1], and divide by a standard deviation.

    Both belong to the encoder's class and not to its weights: a state_dict does not hold them.

    Args:
        mean: of red, green and blue, in [0, 1].
        std: of the same, > 0.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalize pictures N x 3 x H x W."""
        return (images - self.mean) / self.std
