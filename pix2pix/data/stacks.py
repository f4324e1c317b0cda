"""Stacks of slices, such as CT or confocal microscopy, of which each is a sample with its neighbors as channels."""

from collections.abc import Sequence
from pathlib import Path

from inference import DataError, Picture
from inference.pictures import open_pages, sizes_differ
from pix2pix.data.pairs import Pairs, TwoFolders


class Stacks(Pairs):
    """Slices of A and B in TIFFs of as many pages: ``root/A/split/NAME.tif`` and ``root/B/split/NAME.tif``.

    Each slice is a pair. A has ``2 * neighbors + 1`` channels: the slices before, the slice itself, and those after; at
    the ends the last slice is repeated. B has one. ``direction`` must be AtoB.

    Args:
        root: the data set's folder.
        split: which part of it.
        folder_a: the folder of A in ``root``.
        folder_b: the folder of B in ``root``.
        neighbors: slices on either side, at least 0.

    Raises:
        ValueError: ``neighbors`` is below 0.
        DataError: a file has no partner of as many pages.
    """

    def __init__(self, root: Path, split: str, folder_a: str = "A", folder_b: str = "B", neighbors: int = 1) -> None:
        if neighbors < 0:
            raise ValueError(f"neighbors must be at least 0; got {neighbors}")
        self.neighbors = neighbors
        files = TwoFolders(root, split, folder_a, folder_b)
        self.names, self._slices = [], []
        for name in files.names:
            a, b = (open_pages(side[0][name]) for side in (files.files_a, files.files_b))
            if len(a) != len(b):
                raise DataError(f"{a[0].name}: {len(a)} pages, and {b[0].name} has {len(b)}")
            self.names += [f"{name}-{index:04}" for index in range(len(a))]
            self._slices += [(with_neighbors(a, index, neighbors), b[index]) for index in range(len(a))]

    def read(self, index: int) -> tuple[Picture, Picture]:
        """Open a slice of A with its neighbors, and that of B."""
        a, b = self._slices[index]
        if a.size != b.size:
            raise DataError(f"{a.name}: {sizes_differ(a, b)} as {b.name}")
        return a, b


def with_neighbors(pages: Sequence[Picture], index: int, neighbors: int) -> Picture:
    """Return a page of a stack as one picture with the pages before and after it, the ends repeated, along channels."""
    around = range(index - neighbors, index + neighbors + 1)
    return Picture.stack([pages[min(max(place, 0), len(pages) - 1)] for place in around])
