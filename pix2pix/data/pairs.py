"""Layouts of pairs of pictures on disk. A new layout is one more class like these."""

import glob
from abc import abstractmethod
from pathlib import Path

from PIL import Image

from inference import DataError, list_pictures, read_upright
from inference.pictures import EXTENSIONS
from training.data import Layout


class Pairs(Layout):
    """The pairs of one split of a data set, found on disk and read one at a time. Base of the layouts.

    A layout of your own finds the pairs and names them, and reads one.

    Args:
        root: the data set's folder.
        split: which part of it: ``train``, ``val`` or ``test``, or whatever the folders are called.

    Attributes:
        names: one for each pair, unique; predictions are called so.
    """

    names: list[str]

    @abstractmethod
    def __init__(self, root: Path, split: str) -> None:
        """Find the pairs; raise DataError where there are none."""

    @abstractmethod
    def read(self, index: int) -> tuple[Image.Image, Image.Image]:
        """Read A and B of one pair; raise DataError where they cannot be read or differ in size."""

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.names)

    def describe(self) -> str:
        """Describe the split in a few words."""
        return f"{len(self)} pairs"


class SideBySide(Pairs):
    """A and B as the left and right half of one picture: ``root/split/NAME.png``, the layout of facades and maps."""

    def __init__(self, root: Path, split: str) -> None:
        self.files = list_pictures(root / split)
        self.names = [file.stem for file in self.files]
        _refuse_same_names(self.files)

    def read(self, index: int) -> tuple[Image.Image, Image.Image]:
        """Split one picture down the middle."""
        file = self.files[index]
        image = read_upright(file)
        if image.width % 2:
            raise DataError(
                f"{file}: {image.width} pixels wide, which does not split into A and B of equal width; "
                "was it made of two pictures side by side?"
            )
        middle = image.width // 2
        return image.crop((0, 0, middle, image.height)), image.crop((middle, 0, image.width, image.height))


class TwoFolders(Pairs):
    """A and B in folders of their own, under the same name: ``root/A/split/NAME.png`` and ``root/B/split/NAME.jpg``.

    Args:
        root: the data set's folder.
        split: which part of it.
        folder_a: the folder of A in ``root``.
        folder_b: the folder of B in ``root``.
    """

    def __init__(self, root: Path, split: str, folder_a: str = "A", folder_b: str = "B") -> None:
        folders = root / folder_a / split, root / folder_b / split
        files = []
        for folder in folders:
            images = list_pictures(folder)
            _refuse_same_names(images)
            files.append({file.stem: file for file in images})
        self.files_a, self.files_b = files
        sides = (self.files_a, self.files_b, folders[1]), (self.files_b, self.files_a, folders[0])
        for present, absent, folder in sides:
            if alone := sorted(present.keys() - absent.keys()):
                more = f" (and {len(alone) - 1} more like it)" if len(alone) > 1 else ""
                found = next(folder.glob(f"{glob.escape(alone[0])}.*"), None)
                instead = f"; {found.name} there is not a picture of {' '.join(EXTENSIONS)}" if found else ""
                raise DataError(f"{present[alone[0]]}: no picture of this name in {folder}{more}{instead}")
        self.names = list(self.files_a)

    def read(self, index: int) -> tuple[Image.Image, Image.Image]:
        """Read the two files of one name."""
        name = self.names[index]
        a, b = read_upright(self.files_a[name]), read_upright(self.files_b[name])
        if a.size != b.size:
            raise DataError(f"{self.files_a[name]}: {sizes_differ(a, b)} as {self.files_b[name]}")
        return a, b


def sizes_differ(a: Image.Image, b: Image.Image) -> str:
    """Return the middle of a message about two pictures whose sizes should be the same."""
    return f"{a.width} x {a.height} pixels, not the same {b.width} x {b.height}"


def _refuse_same_names(files: list[Path]) -> None:
    by_name: dict[str, Path] = {}
    for file in files:
        if (other := by_name.setdefault(file.stem, file)) is not file:
            raise DataError(f"{file}: the same name as {other.name}; rename one")
