"""Layouts of pairs of pictures on disk. A new layout is one more class like these."""

import os
import unicodedata
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from inference import DataError, Picture, open_picture
from inference.pictures import EXTENSIONS, Axes, picture_names, sizes_differ
from inference.sizes import Box
from training.data import Layout, Names, Sources


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
        folders: where the files of the split lie, for those who ask what else is there.
    """

    names: Sequence[str]
    axes: Axes = "auto"
    stacks: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    neighbors: int | None = None
    folders: Sequence[Path] = ()

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
        folder = root / split
        self.folders = [folder]
        self.axes = axes
        self._files = Names(_by_name(folder).values())
        self.names = Names(map(name_of, self._files))

    def read(self, index: int) -> tuple[Picture, Picture]:
        """Split one picture down the middle."""
        file = self.folders[0] / self._files[index]
        picture = open_picture(file, axes=self.axes)
        if picture.width % 2:
            raise DataError(
                f"{file}: {picture.width} pixels wide, which does not split into A and B of equal width; "
                "make it of two pictures side by side, or set the layout to another"
            )
        middle = picture.width // 2
        left, right = (picture.part(Box(0, start, picture.height, middle)) for start in (0, middle))
        return left, right

    def sources(self) -> Sources:
        """Return the pictures."""
        return Sources(_paths(self.folders[0], self._files), self.axes)


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
        self._sides = tuple((side,) if isinstance(side, str) else tuple(side) for side in (folder_a, folder_b))
        a, b = self._sides
        self.stacks = (a if len(a) > 1 else (), b if len(b) > 1 else ())
        self._folders = {folder: root / folder / split for folder in (*a, *b)}
        self.folders = list(self._folders.values())
        files = {folder: _by_name(place) for folder, place in self._folders.items()}
        first, *others = files
        pairs_of_folders = [*((first, other) for other in others), *((other, first) for other in others)]
        _refuse_alone(
            [
                sentence
                for folder, other in pairs_of_folders
                for sentence in _alone(files[folder], self._folders[folder], files[other], self._folders[other])
            ]
        )
        self.names = Names(files[first])
        self._files = {folder: Names(map(by_name.__getitem__, files[first])) for folder, by_name in files.items()}

    def files(self, index: int) -> tuple[list[Path], list[Path]]:
        """Return the files of A, and those of B, of one pair."""
        a, b = ([self._folders[folder] / self._files[folder][index] for folder in side] for side in self._sides)
        return a, b

    def read(self, index: int) -> tuple[Picture, Picture]:
        """Open the files of one name."""
        a, b = (Picture.stack([open_picture(file, axes=self.axes) for file in side]) for side in self.files(index))
        if a.size != b.size:
            raise DataError(f"{a.name}: {sizes_differ(a, b)} as {b.name}; make them alike")
        return a, b

    def sources(self) -> Sources:
        """Return the pictures of all folders."""
        files = chain.from_iterable(_paths(place, self._files[folder]) for folder, place in self._folders.items())
        return Sources(files, f"{self._sides} {self.axes}")


class AloneError(DataError):
    """Pictures have no other of their name.

    Args:
        alone: about each of them a sentence.
    """

    def __init__(self, alone: Sequence[str]) -> None:
        first, *others = alone
        super().__init__(f"{first}; {len(others)} more like it" if others else first)
        self.alone = alone


def _by_name(folder: Path) -> dict[str, str]:
    """Map names to files of a folder. A letter with an accent is one name, stored as one character or as two.

    Raises:
        DataError: there is no picture, or there are two of one name.
    """
    try:
        files = picture_names(folder)
    except DataError:
        above = folder.parent
        names = os.listdir(above) if above.is_dir() and not folder.is_dir() else []
        if not any(name.lower().endswith(EXTENSIONS) for name in names):
            raise
        raise DataError(
            f"{folder}: no such folder; put the pictures of {above} into train, val and test below it"
        ) from None
    by_name: dict[str, str] = {}
    for file in files:
        if (other := by_name.setdefault(name_of(file), file)) is not file:
            raise DataError(f"{folder / file}: the same name as {other}; rename one")
    return by_name


def name_of(file: str) -> str:
    """Return what a file is called without its ending, in Unicode's composed form: macOS used to store the other."""
    stem = file.rpartition(".")[0]
    return stem if stem.isascii() else unicodedata.normalize("NFC", stem)


def _paths(folder: Path, files: Iterable[str]) -> Iterator[str]:
    return (os.path.join(folder, file) for file in files)


def _alone(present: Mapping[str, str], where: Path, others: Mapping[str, str], folder: Path) -> list[str]:
    """Return about each picture of which none has the name among the others a sentence: it is not in ``folder``."""
    alone = sorted(present.keys() - others.keys())
    if not alone:
        return []
    files = {unicodedata.normalize("NFC", file.stem): file.name for file in sorted(folder.iterdir())}
    lower = {name.lower(): file for name, file in others.items()}
    sentences = []
    for name in alone:
        if file := files.get(name):
            instead = f"; {file} there is not a picture of {' '.join(EXTENSIONS)}, convert it"
        elif file := lower.get(name.lower()):
            instead = f"; {file} there is written otherwise, give both the same letters"
        else:
            instead = "; add it, or remove this one"
        sentences.append(f"{where / present[name]}: no picture of this name in {folder}{instead}")
    return sentences


def _refuse_alone(alone: Sequence[str]) -> None:
    if alone:
        raise AloneError(alone)
