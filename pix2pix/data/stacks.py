"""Stacks of slices, such as CT or confocal microscopy, of which each is a sample with its neighbors as channels."""

from collections.abc import Sequence
from pathlib import Path

from inference import DataError, Picture
from inference.pictures import open_pages, sizes_differ
from pix2pix.data.pairs import Pairs, TwoFolders
from training.data import Names, Sources


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
        self.neighbors: int = neighbors
        files = TwoFolders(root, split, folder_a, folder_b)
        names: list[str] = []
        self._slices: list[tuple[tuple[Path, Path], int]] = []
        for number, name in enumerate(files.names):
            (a,), (b,) = files.files(number)
            count, others = (len(open_pages(file)) for file in (a, b))
            if count != others:
                raise DataError(f"{a}: {count} pages, and {b} has {others}; make them alike")
            names += [f"{name}-{index:04}" for index in range(count)]
            self._slices += [((a, b), index) for index in range(count)]
        self.names = Names(names)

    def read(self, index: int) -> tuple[Picture, Picture]:
        """Open a slice of A with its neighbors, and that of B."""
        files, page = self._slices[index]
        pages, others = (open_pages(file) for file in files)
        a, b = with_neighbors(pages, page, self.neighbors), others[page]
        if a.size != b.size:
            raise DataError(f"{a.name}: {sizes_differ(a, b)} as {b.name}; make them alike")
        return a, b

    def sources(self) -> Sources:
        """Return the files of all slices."""
        files = dict.fromkeys(file for pair, _ in self._slices for file in pair)
        return Sources(files, str(self.neighbors))


def with_neighbors(pages: Sequence[Picture], index: int, neighbors: int) -> Picture:
    """Return a page of a stack as one picture with the pages before and after it, the ends repeated, along channels."""
    around = range(index - neighbors, index + neighbors + 1)
    return Picture.stack([pages[min(max(place, 0), len(pages) - 1)] for place in around])
