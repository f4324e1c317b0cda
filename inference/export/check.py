"""Show that a file does what the network does: run both on pictures of several sizes."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from inference.export.graph import Graph
from inference.sizes import Box, crop, pad, padded_size, reflected

Run = Callable[[Tensor], Sequence[Tensor]]

LARGEST = 1e-4  # difference that is allowed


class Checked(NamedTuple):
    """How near the outputs of a file come to those of the network.

    Attributes:
        difference: the largest; of an output with values beyond 1, divided by the largest of them.
        batches: that were run: pictures, height and width.
    """

    difference: float
    batches: list[tuple[int, int, int]]

    def __str__(self) -> str:
        """Return it as a line."""
        sizes = ", ".join(f"{count} x {height} x {width}" for count, height, width in dict.fromkeys(self.batches))
        return f"largest difference to the network's own output {self.difference:.1e}, in batches of {sizes}"


@torch.no_grad()
def check(graph: Graph, run: Run, batches: Sequence[Tensor]) -> Checked:
    """Compare what a file gives with the network's own outputs.

    Args:
        graph: the network.
        run: runs the file.
        batches: pictures to run, N x channels x H x W.
    """
    differences = [
        (ours - theirs).abs().max() / ours.abs().max().clamp_min(1)
        for pictures in batches
        for ours, theirs in zip(as_tuple(graph.network(pictures)), run(pictures), strict=True)
    ]
    largest = torch.stack(differences).max().item()  # NaN, if one is
    return Checked(largest, [(len(each), each.shape[2], each.shape[3]) for each in batches])


def as_tuple(outputs: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    """Return the outputs of a network, one or several, as a sequence."""
    return (outputs,) if isinstance(outputs, Tensor) else outputs


def generated_pictures(graph: Graph, count: int) -> list[Tensor]:
    """Generate pictures for where there are no others: smooth noise in [-1, 1], channels x H x W."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, graph.channels, 8, 8, generator=random) * 2 - 1
    side = max(256 // graph.stride * graph.stride, graph.least)
    return list(F.interpolate(coarse, (side, side), mode="bicubic").clamp(-1, 1))


def batches_to_check(graph: Graph, pictures: Sequence[Tensor]) -> list[Tensor]:
    """Return batches in several sizes: each picture alone, two together, and one that is continued to a larger size.

    Args:
        graph: of the network that will run them.
        pictures: one or more, channels x H x W of any size; they are padded by reflection to what the network takes.
    """
    first, *others = (pad(each, graph.stride, graph.least) for each in pictures)
    height, width = padded_size((first.shape[1], first.shape[2]), graph.stride, graph.least)
    larger = reflected(lambda box: crop(first, box), (height, width))
    beyond = larger(Box(0, 0, height + graph.stride, width + 2 * graph.stride))
    return [*(each[None] for each in (first, *others)), torch.stack([first, first.flip(2)]), beyond[None]]
