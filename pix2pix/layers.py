"""What generators and discriminators share: normalization by name, ranges of options, and initialization."""

from typing import Literal

import torch
from torch import Tensor, nn

Norm = Literal["batch", "instance", "none"]


def normalization(norm: Norm, channels: int) -> nn.Module:
    """Build the normalization of ``channels`` feature maps.

    Args:
        norm: ``batch``; ``instance`` (no learned scale, no running statistics, as in the reference); or ``none``.
        channels: the number of feature maps.
    """
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "instance":
        return nn.InstanceNorm2d(channels)
    if norm == "none":
        return nn.Identity()
    raise ValueError(f"norm must be batch, instance or none; got {norm!r}")


class ReflectionPad(nn.ReflectionPad2d):
    """``nn.ReflectionPad2d`` that can also be trained with deterministic algorithms on CUDA, where torch's refuses.

    Args:
        padding: rows and columns on each side, fewer than the picture has.
    """

    padding: tuple[int, int, int, int]

    def __init__(self, padding: int) -> None:
        super().__init__(padding)

    def forward(self, input: Tensor) -> Tensor:
        """Extend pictures N x C x H x W on each side by their reflection."""
        if input.is_cuda and torch.are_deterministic_algorithms_enabled():
            return reflect(input, self.padding[0])
        return super().forward(input)


def reflect(x: Tensor, padding: int) -> Tensor:
    """Extend pictures ... x H x W on each side by their reflection, to the bit as ``nn.ReflectionPad2d`` on a CPU.

    Gradients too: a pixel's is a sum over where it is in the result, from the top left to the bottom right. Autograd
    adds up what was used last first, so the parts are made from the bottom right to the top left.

    Args:
        x: the pictures.
        padding: rows and columns on each side, fewer than they have.
    """
    end = -1 - padding
    before, whole, after = slice(1, 1 + padding), slice(None), slice(end, -1)

    def part(rows: slice, columns: slice) -> Tensor:
        flipped = [axis for axis, taken in ((-2, rows), (-1, columns)) if taken != whole]
        return x[..., rows, columns].flip(flipped)

    bands = []
    for rows in after, whole, before:
        right, middle, left = (part(rows, columns) for columns in (after, whole, before))
        bands.append(torch.cat([left, middle, right], dim=-1))
    return torch.cat(bands[::-1], dim=-2)


def needs_bias(norm: Norm) -> bool:
    """Return whether a convolution before ``norm`` has a bias; the shift of batch norm makes one redundant."""
    return norm != "batch"


def require_channels(**channels: int) -> None:
    """Require numbers of channels, by their options' names, of at least 1.

    Raises:
        ValueError: one is less.
    """
    for name, value in channels.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}")


def require_dropout(dropout: float) -> None:
    """Require a probability of dropout in [0, 1).

    Raises:
        ValueError: it is not.
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in [0, 1); got {dropout}")


def initialize(network: nn.Module) -> None:
    """Draw the weights as pix2pix does: convolutions N(0, 0.02), norm weights N(1, 0.02), every bias 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
