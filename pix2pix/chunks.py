"""A batch, and the parts of it that go through the networks one after the other."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, NotRequired, TypedDict

from torch import Tensor


class Batch(TypedDict):
    """Inputs and targets, N x C x H x W in [-1, 1], N names, and perhaps N x 1 x H x W: False where unknown."""

    input: Tensor
    target: Tensor
    name: list[str]
    known: NotRequired[Tensor]


class Chunk(NamedTuple):
    """Some pairs of a batch: inputs, targets, which pixels are known, and their share of the batch."""

    source: Tensor
    target: Tensor
    known: Tensor | None
    share: float


def chunks_of(batch: Batch, count: int) -> list[Chunk]:
    """Split a batch into parts of equal size, the last perhaps smaller; into fewer than ``count`` if it is small."""
    sources, targets = batch["input"].chunk(count), batch["target"].chunk(count)
    known = batch["known"].chunk(count) if "known" in batch else [None] * len(sources)
    shares = [len(source) / len(batch["input"]) for source in sources]
    return [Chunk(*parts) for parts in zip(sources, targets, known, shares, strict=True)]


def mean_of(values: Sequence[Mapping[str, Tensor]], chunks: Sequence[Chunk]) -> dict[str, Tensor]:
    """Return the means over a batch of what was measured in each of its chunks."""
    if len(chunks) == 1:
        return dict(values[0])
    return {
        name: sum(chunk.share * found[name] for chunk, found in zip(chunks, values, strict=True))  # type: ignore[misc]
        for name in values[0]
    }
