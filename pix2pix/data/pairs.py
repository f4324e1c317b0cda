"""Layouts of pairs of pictures on disk. A new layout is one more class like these."""

import glob
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from inference import DataError, Picture, list_pictures, open_picture
from inference.pictures import EXTENSIONS, Axes, sizes_differ
from inference.sizes import Box
from training.data import Layout


class Pairs(Layout):
    """The pairs of one split of a data set, found on disk and read one at a time. Base of the layouts.

    A layout of your own finds the pairs and names them, and reads one.

    Args:
        root: the data set's folder.
        split: which part of it: ``train``, ``val`` or ``test``, or whatever the folders are called.

    Attributes:
        names: one for each pair, unique; predictions are called so.
        axes: how the files' arrays lie, see :func:`inference.open_picture`; a checkpoint keeps it.
        stacks: of A and of B, the folders whose pictures are stacked along channels, where there are several.
        neighbors: where pairs are slices of stacks, how many slices on either side are channels of A.
    """

    names: list[str]
    axes: Axes = "auto"
    stacks: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    neighbors: int | None = None

    @abstractmethod
    def __init__(self, root: Path, split: str) -> None:
        """Find the pairs; raise DataError where there are none."""

    @abstractmethod
    def read(self, index: int) -> tuple[Picture, Picture]:
        """Open A and B of one pair; raise DataError where they cannot be read or differ in size.

        ``inference.open_picture`` opens a file, and ``inference.Picture.of`` takes an array or a picture of Pillow's.
        """

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.names)

    def describe(self) -> str:
        """Describe the split in a few words."""
        return f"{len(self)} pairs"


class SideBySide(Pairs):
    """A and B as the left and right half of one picture: ``root/split/NAME.png``, the layout of facades and maps.

    Args:
        root: the data set's folder.
        split: which part of it.
        axes: how pages and arrays lie: ``yxc``, ``cyx``, or ``auto`` where the files say so themselves.
    """

    def __init__(self, root: Path, split: str, axes: Axes = "auto") -> None:
        self.files = list_pictures(root / split)
        self.names = [file.stem for file in self.files]
        self.axes = axes
        _refuse_same_names(self.files)

    def read(self, index: int) -> tuple[Picture, Picture]:
        """Split one picture down the middle."""
        file = self.files[index]
        picture = open_picture(file, axes=self.axes)
        if picture.width % 2:
            raise DataError(
                f"{file}: {picture.width} pixels wide, which does not split into A and B of equal width; "
                "make it of two pictures side by side, or set the layout to another"
            )
        middle = picture.width // 2
        left, right = (picture.part(Box(0, start, picture.height, middle)) for start in (0, middle))
        return left, right


class TwoFolders(Pairs):
    """A and B in folders of their own, under the same name: ``root/A/split/NAME.png`` and ``root/B/split/NAME.jpg``.

    Args:
        root: the data set's folder.
        split: which part of it.
        folder_a: the folder of A in ``root``; or several, whose pictures of one name are stacked along channels.
        folder_b: the folder of B in ``root``; or several.
        axes: how pages and arrays lie: ``yxc``, ``cyx``, or ``auto`` where the files say so themselves.
    """

    def __init__(
        self,
        root: Path,
        split: str,
        folder_a: str | Sequence[str] = "A",
        folder_b: str | Sequence[str] = "B",
        axes: Axes = "auto",
    ) -> None:
        self.axes = axes
        a, b = ((folder,) if isinstance(folder, str) else tuple(folder) for folder in (folder_a, folder_b))
        self.stacks = (a if len(a) > 1 else (), b if len(b) > 1 else ())
        files = {folder: _by_name(root / folder / split) for folder in (*a, *b)}
        first = next(iter(files))
        for folder, present in files.items():
            _refuse_alone(files[first], present, root / folder / split)
            _refuse_alone(present, files[first], root / first / split)
        self.files_a, self.files_b = ([files[folder] for folder in side] for side in (a, b))
        self.names = list(files[first])

    def read(self, index: int) -> tuple[Picture, Picture]:
        """Open the files of one name."""
        name = self.names[index]
        a, b = (
            Picture.stack([open_picture(files[name], axes=self.axes) for files in side])
            for side in (self.files_a, self.files_b)
        )
        if a.size != b.size:
            raise DataError(f"{a.name}: {sizes_differ(a, b)} as {b.name}; make them alike")
        return a, b


def _by_name(folder: Path) -> dict[str, Path]:
    files = list_pictures(folder)
    _refuse_same_names(files)
    return {file.stem: file for file in files}


def _refuse_alone(present: dict[str, Path], others: dict[str, Path], folder: Path) -> None:
    """Require that each of the pictures present has one of its name among the others, which are in ``folder``."""
    if alone := sorted(present.keys() - others.keys()):
        more = f" (and {len(alone) - 1} more like it)" if len(alone) > 1 else ""
        found = next(folder.glob(f"{glob.escape(alone[0])}.*"), None)
        instead = f"; {found.name} there is not a picture of {' '.join(EXTENSIONS)}" if found else ""
        raise DataError(
            f"{present[alone[0]]}: no picture of this name in {folder}{more}{instead}; add it, or remove this one"
        )


def _refuse_same_names(files: list[Path]) -> None:
    by_name: dict[str, Path] = {}
    for file in files:
        if (other := by_name.setdefault(file.stem, file)) is not file:
            raise DataError(f"{file}: the same name as {other.name}; rename one")
