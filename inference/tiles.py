"""Run a network over a picture tile by tile, so that the result is that of the whole picture.

Tiles share an overlap, and each one gives what is far enough from its borders: further than the network looks. At the
borders of the picture a tile ends, so that the network pads there as it does for the whole. Tiles begin at multiples of
the network's stride, so that its grid is that of the whole. Where it normalizes by statistics of the picture, these are
found first. Nothing of the size of the picture is held in memory.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from inference.geometry import Geometry
from inference.picture_statistics import PictureStatistics, untracked
from inference.sizes import Box, Read, Size, clip, crop, padded_size, reflected


class Plan(NamedTuple):
    """How a picture is divided into tiles of equal size. Tile (i, j) begins at rows[i], columns[j].

    Attributes:
        size: height and width of the picture.
        padded: height and width of the padded picture, which is what the tiles cover.
        tile: height and width of a tile.
        rows: where tiles begin.
        columns: where tiles begin.
        overlap: pixels that a tile shares with the next one; the last tile of a row or column may share more.
        exact: whether the overlap covers what the network looks at, so that the result is that of the whole picture;
            else neighboring tiles are blended.
        stride: the network's.
        passes: how often the tiles are run: once for each norm that uses statistics of the picture, and once for the
            output.
    """

    size: Size
    padded: Size
    tile: Size
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    overlap: int
    exact: bool
    stride: int
    passes: int

    @property
    def windows(self) -> list[Box]:
        """Where the tiles are in the padded picture, in rows from the top, from the left in each row."""
        return [Box(top, left, *self.tile) for top in self.rows for left in self.columns]

    @property
    def tiles(self) -> int:
        """The number of tiles."""
        return len(self.rows) * len(self.columns)


class Tile(NamedTuple):
    """A part of the output.

    Attributes:
        box: where it belongs. The boxes of all tiles are a partition of the picture.
        output: C' x height x width.
        seam: how much a seam may show in ``box``. Blending tiles a and b to (1 - w) a + w b changes the one with the
            greater weight by min(w, 1 - w) |a - b|; this is the largest of these changes, and 0 if nothing is blended.
    """

    box: Box
    output: Tensor
    seam: float


def plan_tiles(size: Size, geometry: Geometry, tile: int, overlap: int | None = None) -> Plan:
    """Divide a picture into tiles for a network.

    Args:
        size: height and width of the picture, at least 1.
        geometry: of the network.
        tile: the longest side of a tile; rounded down to a multiple of the stride. A picture that is not larger is one
            tile.
        overlap: pixels that neighboring tiles share; rounded up to a multiple of the stride. By default twice the
            network's margin, which makes the result exact; if that leaves nothing of a tile, a quarter of the tile.

    Raises:
        ValueError: the tile is smaller than two strides, or than the network takes; or the overlap is none, or more
            than half the tile, and the result would not be exact.
    """
    stride, least, margin = geometry.stride, geometry.least, geometry.margin
    padded = padded_size(size, stride, least)
    side = tile // stride * stride
    if max(padded) <= side:
        return Plan(size, padded, padded, (0,), (0,), 0, True, stride, 1)
    if side < max(2 * stride, least):
        raise ValueError(
            f"tiles of {tile} pixels are too small for this network, take {max(2 * stride, least)} or more"
        )
    whole = None if margin is None else 2 * margin  # the overlap that makes it exact
    if overlap is not None:
        overlap = -(-overlap // stride) * stride
    elif whole is not None and whole < side:
        overlap = whole
    else:
        overlap = max(side // 4 // stride, 1) * stride
    exact = whole is not None and whole <= overlap < side
    if not exact and not 0 < overlap <= side // 2:
        raise ValueError(
            f"tiles of {side} pixels cannot overlap by {overlap}: take 1 to {side // 2 // stride * stride}"
        )
    rows, columns = (_starts(length, side, overlap) for length in padded)
    window = min(side, padded[0]), min(side, padded[1])
    return Plan(size, padded, window, rows, columns, overlap, exact, stride, 1 + geometry.norms)


def _starts(length: int, side: int, overlap: int) -> tuple[int, ...]:
    """Return where tiles begin: each ``overlap`` before the previous one ends, but the last ends with the picture."""
    last = max(length - side, 0)
    return (*range(0, last, side - overlap), last)


@torch.no_grad()
def run_in_tiles(
    network: nn.Module,
    read: Read,
    plan: Plan,
    *,
    batch: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Tile]:
    """Compute a network's output for a picture, tile by tile, in rows from the top and from the left in each row.

    Args:
        network: N x C x H x W -> N x C' x H x W, in the mode that it is to be used in; it comes out as it went in.
        read: gives the pixels C x height x width of a box inside the picture, on the network's device.
        plan: for the network's geometry in that mode and the size of the picture.
        batch: how many tiles are run at a time.
        progress: called with how many tiles have been run and how many will be, in all passes.

    Raises:
        ValueError: the geometry was taken in another mode of the network; or a norm cannot be computed in tiles.
    """
    read = reflected(read, plan.size)
    windows, cores = plan.windows, _inside(_cores(plan), plan)
    done = 0

    def batches() -> Iterator[tuple[Tensor, list[Box]]]:
        nonlocal done
        for first in range(0, plan.tiles, batch):
            group = slice(first, first + batch)
            yield torch.stack([read(window) for window in windows[group]]), cores[group]
            done += len(windows[group])
            if progress is not None:
                progress(done, plan.passes * plan.tiles)

    if plan.tiles == 1:
        for picture, _ in batches():
            with untracked(network):  # the statistics of this batch are those of the picture
                output = network(picture)[0]
            box = Box(0, 0, *plan.size)
            yield Tile(box, crop(output, box), 0.0)
        return

    statistics = PictureStatistics(network)
    for _ in range(plan.passes - 1):
        for tiles, inside in batches():
            statistics.measure(tiles, inside)
        statistics.fix()
    outputs = (output for tiles, _ in batches() for output in statistics.run(tiles))
    for tile in _cut(outputs, plan) if plan.exact else _blended(outputs, plan):
        box = clip(tile.box, plan.size)
        yield tile._replace(box=box, output=crop(tile.output, Box(0, 0, box.height, box.width)))


def _cores(plan: Plan) -> list[Box]:
    """Divide the padded picture among its tiles in the middle of their overlaps."""
    return _partition(plan, plan.overlap // plan.stride // 2 * plan.stride)


def _partition(plan: Plan, cut: int) -> list[Box]:
    """Divide the padded picture among its tiles: what one gets ends ``cut`` before it does, where the next begins."""

    def parts(starts: tuple[int, ...], side: int) -> list[tuple[int, int]]:
        return list(pairwise([0, *(start + side - cut for start in starts[:-1]), starts[-1] + side]))

    rows, columns = parts(plan.rows, plan.tile[0]), parts(plan.columns, plan.tile[1])
    return [Box(top, left, bottom - top, right - left) for top, bottom in rows for left, right in columns]


def _inside(boxes: list[Box], plan: Plan) -> list[Box]:
    """Return where the box of each tile is in the tile."""
    return [
        box._replace(top=box.top - window.top, left=box.left - window.left)
        for box, window in zip(boxes, plan.windows, strict=True)
    ]


def _cut(outputs: Iterator[Tensor], plan: Plan) -> Iterator[Tile]:
    """Take the core of each tile."""
    boxes = _cores(plan)
    for box, inside, output in zip(boxes, _inside(boxes, plan), outputs, strict=True):
        yield Tile(box, crop(output, inside), 0.0)


def _blended(outputs: Iterator[Tensor], plan: Plan) -> Iterator[Tile]:
    """Fade from each tile into the next one over their overlap: along the row, then from row to row."""
    width = plan.overlap
    boxes = _partition(plan, width)  # so the overlap with the tiles before is a box's own, that with the next is theirs
    beside = torch.empty(0)  # of the tile to the left, the columns of this one's box
    above = [beside] * len(plan.columns)  # of the row above, the rows of this one's boxes
    for index, (box, inside, output) in enumerate(zip(boxes, _inside(boxes, plan), outputs, strict=True)):
        row, column = divmod(index, len(plan.columns))
        bottom, right = inside.top + inside.height, inside.left + inside.width
        across = down = 0.0
        part = output[..., inside.left : right]
        if column > 0:
            part, across = _faded(beside, part)
        beside = output[..., right : right + width]
        below = part[..., bottom : bottom + width, :].clone()  # a view would keep the tile, and with it those of a row
        part = part[..., inside.top : bottom, :]
        if row > 0:
            turned, down = _faded(above[column].mT, part.mT)
            part = turned.mT
        above[column] = below
        yield Tile(box, part, max(across, down))


def _faded(before: Tensor, after: Tensor) -> tuple[Tensor, float]:
    """Fade from ``before`` to ``after`` over the columns of ``before``; also return how much the seam may show."""
    width = before.shape[-1]
    weight = (torch.arange(width, device=after.device) + 0.5) / width
    difference = after[..., :width] - before
    seam = (torch.minimum(weight, 1 - weight) * difference.abs()).max().item()
    return torch.cat([(before + weight * difference).to(after.dtype), after[..., width:]], dim=-1), seam


def default_tile(geometry: Geometry, device: torch.device) -> int:
    """Return the side of a tile, run by itself, for which the outputs of layers take a quarter of the free memory.

    The rest is left to what convolutions and concatenations need. At most 4096, of which an overlap is a small part; at
    least two strides, and what the network takes.

    Args:
        geometry: of the network.
        device: where the network is.
    """
    stride = geometry.stride
    side = min(math.isqrt(free_memory(device) // 4 // max(geometry.memory, 1)), 4096)
    return max(side // stride * stride, 2 * stride, geometry.least)


def free_memory(device: torch.device) -> int:
    """Return the bytes of memory that are free on a device; 4 GiB for a CPU whose system does not tell."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    except OSError:
        return 4 * 2**30
    free = int(lines["MemAvailable"].split()[0]) * 1024  # SC_AVPHYS_PAGES leaves out what caches would give back
    try:
        return min(free, int(Path("/sys/fs/cgroup/memory.max").read_text()))  # of a container
    except (OSError, ValueError):  # none, or "max"
        return free
