"""The base of the encoders: the shapes of their features, and their own normalization of pictures."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from inference import Network, Recipe


class Encoder(Network):
    """Base of the encoders: from pictures N x 3 x H x W in [0, 1] to features at several strides.

    Called, an encoder returns a list, the finest first: for each of its ``strides`` s and ``channels`` C a tensor
    N x C x H/s x W/s. H and W are multiples of ``stride``, the largest; the model pads pictures to that.

    An encoder normalizes the pictures itself, as its weights expect it (see :class:`Normalize`): so data, drawn
    pictures and weights from elsewhere cannot disagree.

    Args:
        channels: C of each level.
        strides: how many pixels a feature of each level stands for, along each side, in rising order.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.strides = tuple(strides)

    @property
    def stride(self) -> int:
        """The stride of the coarsest features, whose multiples the sides of pictures are."""
        return self.strides[-1]

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
