"""A trained network as a graph of operations on tensors, for pictures of any number and size."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config
from torch.utils.flop_counter import FlopCounterMode

from inference.export.folding import fold_batch_norm


class Graph(NamedTuple):
    """A network that is to leave torch.

    Attributes:
        network: N x channels x H x W -> a tensor, or a tuple of tensors; in evaluation mode.
        channels: of the pictures.
        stride: what the sides of its pictures are multiples of.
        least: the shortest side that it takes, a multiple of the stride.
        outputs: the names of what it returns.
    """

    network: nn.Module
    channels: int
    stride: int
    least: int
    outputs: tuple[str, ...]

    def operations(self) -> float:
        """Count the floating point operations of the network for each pixel of a picture."""
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self.network(self.zeros(1, 0, 0))
        return counter.get_total_flops() / self.least**2

    def zeros(self, count: int, height: int, width: int) -> Tensor:
        """Return pictures of zeros whose sides are ``height`` and ``width`` strides above the shortest."""
        sides = (self.least + self.stride * more for more in (height, width))
        return torch.zeros(count, self.channels, *sides)

    def capture(self) -> ExportedProgram:
        """Capture the operations for any batch, height and width, with batch norm folded into convolutions.

        Raises:
            ValueError: it does something that no graph holds.
        """
        network = fold_batch_norm(self.network, self.zeros(1, 0, 0))
        network.to(memory_format=torch.contiguous_format)  # in another, a batch of 1 is a case of its own
        example = self.zeros(2, 1, 2)  # equal numbers, and 1, would be taken for constants
        height, width = (self.stride * Dim(name, min=self.least // self.stride) for name in ("rows", "columns"))
        shapes = ({0: Dim("batch"), 2: height, 3: width},)
        try:
            # Without this, a size that could be 1 inside of the network may not be 1 when the graph is run.
            with _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
                return torch.export.export(network, (example,), dynamic_shapes=shapes)
        except (torch._dynamo.exc.UserError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ValueError(f"{type(self.network).__name__} cannot be exported: {reason}") from None
