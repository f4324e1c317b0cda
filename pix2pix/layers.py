"""What generators and discriminators share: normalization by name, ranges of options, and initialization."""

from typing import Literal

from torch import nn

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
