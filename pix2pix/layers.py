"""What generators and discriminators are made of: a base class, a normalisation by name, the initialisation."""

import inspect
from abc import ABC
from typing import Any, Literal

from lightning.pytorch.core.mixins.hparams_mixin import HyperparametersMixin
from torch import nn

Norm = Literal["batch", "instance", "none"]


class Network(nn.Module, HyperparametersMixin, ABC):
    """A network that remembers how it was made, so that a checkpoint can make it again.

    A subclass needs to do nothing for that but to call ``super().__init__()``.
    """

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.save_hyperparameters(logger=False)  # the arguments of every __init__ that led here

    def recipe(self) -> dict[str, Any]:
        """Tell how to make this network (without its weights), as a configuration does: class_path and init_args."""
        arguments = inspect.signature(type(self)).parameters
        return {
            "class_path": f"{type(self).__module__}.{type(self).__qualname__}",
            "init_args": {name: value for name, value in self.hparams.items() if name in arguments},
        }


def normalization(norm: Norm, channels: int) -> nn.Module:
    """Make the normalisation of ``channels`` feature maps.

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
    """Whether a convolution before ``norm`` has a bias: the shift of a batch norm would do the same work twice."""
    return norm != "batch"


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
