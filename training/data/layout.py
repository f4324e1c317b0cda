"""What every data set on disk has: a layout, which finds the samples of one split."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from inference import DataError


class Sources(NamedTuple):
    """What the samples of a layout are read from; when it changes, a cache of them on disk is made again.

    Attributes:
        files: all of them, in an order that is the same each time.
        options: of the layout, as far as they change what is read.
    """

    files: Iterable[str | Path]
    options: str = ""


class Layout(ABC):
    """The samples of one split of a data set, found on disk when it is built, and read one at a time.

    Base of the applications' layouts. A layout is built as ``layout(root, split)``; options of its own follow these
    two, so that a configuration can give them while the data module gives root and split.

    Args:
        root: the data set's folder. None where a data set comes with the package and needs no folder.
        split: which part of it: ``train``, ``val`` or ``test``, or whatever its parts are called.
    """

    @abstractmethod
    def __init__(self, root: Path | None, split: str) -> None:
        """Find the samples; raise DataError where there are none."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples."""

    def sources(self) -> Sources | None:
        """Return what the samples are read from. None, where a layout does not say so: they are not cached on disk."""
        return None

    def describe(self) -> str:
        """Describe the split in a few words for the start of a run."""
        return f"{len(self)} samples"


def split_folder(root: Path | None, split: str) -> Path:
    """Return the folder of a split.

    Raises:
        DataError: there is no root.
    """
    if root is None:
        raise DataError("this layout needs the data set's folder: set the data's root")
    return root / split
