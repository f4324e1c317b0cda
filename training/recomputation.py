"""Feature maps that are computed again in the backward pass rather than kept: less memory for more time."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Layers(nn.Sequential):
    """Layers one after the other, which can do without most of the feature maps between them.

    With ``recompute`` what lies before a convolution (norm, activation, dropout, padding) is computed again in the
    backward pass, from the output of the convolution before it, which is kept. No convolution is, as torch stops as
    soon as it has what the backward pass reads; but one that :mod:`inference.winograd` computes in several parts is, up
    to the last of them. Losses, gradients and running statistics are the same to the bit.

    Attributes:
        recompute: whether it does so.
    """

    recompute = False

    def forward(self, input: Tensor, *beside: Tensor) -> Tensor:
        """Apply the layers to feature maps N x C x H x W, of which several are joined along their channels."""
        if not (self.recompute and torch.is_grad_enabled()):
            x: Tensor = super().forward(torch.cat([input, *beside], dim=1) if beside else input)
            return x
        given = (input, *beside)
        for part, ends_in_convolution in self._parts():
            given = (recomputed(part, *given) if ends_in_convolution else part(*given),)
        return given[0]

    def _parts(self) -> Iterator[tuple[nn.Sequential, bool]]:
        """Split after each convolution; a part that is a convolution alone has nothing to compute again."""
        start = 0
        for place, layer in enumerate(self, 1):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                yield self[start:place], place - start > 1
                start = place
        if start < len(self):
            yield self[start:], False


def recomputed(module: nn.Module, *inputs: Tensor) -> Tensor:
    """Run a module, whose backward pass runs it again: with the same random numbers and buffers, to the bit.

    Args:
        module: may draw random numbers, as dropout does, and may change its buffers, as batch norm does; once.
        inputs: of the module.
    """
    result: Tensor = checkpoint(
        module, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), BuffersOfNow(module))
    )
    return result


class BuffersOfNow:
    """Gives a module the buffers that it has now, whenever it is entered, and afterwards those that it had then.

    Args:
        module: whose buffers.
    """

    def __init__(self, module: nn.Module) -> None:
        self.buffers = list(module.buffers())
        self._now = [buffer.clone() for buffer in self.buffers]
        self._then: list[Tensor] = []

    def __enter__(self) -> None:
        self._then = [buffer.clone() for buffer in self.buffers]
        self._set(self._now)

    def __exit__(self, *error: Any) -> None:
        self._set(self._then)

    @torch.no_grad()
    def _set(self, values: list[Tensor]) -> None:
        for buffer, value in zip(self.buffers, values, strict=True):
            buffer.copy_(value)
