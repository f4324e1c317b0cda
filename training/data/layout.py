"""What every data set on disk has: a layout, which finds the samples of one split."""

from abc import ABC, abstractmethod
from pathlib import Path

from inference import DataError


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
