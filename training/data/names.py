"""Names of many samples in little memory."""

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import overload


class Names(Sequence[str]):
    """Strings in one block of bytes, each made when it is asked for.

    A list of 100,000 strings is as many objects, and a worker that looks at one writes its count of references: page by
    page the system copies the list for each worker.

    Args:
        strings: what to keep, in their order.
    """

    def __init__(self, strings: Iterable[str]) -> None:
        encoded = [string.encode("utf-8", "surrogateescape") for string in strings]  # names of files may be any bytes
        self._bytes = b"".join(encoded)
        self._ends = array("q", accumulate(map(len, encoded)))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return one string, or several as a list."""
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        index = range(len(self))[index]  # from the end if it is below 0
        start = self._ends[index - 1] if index else 0
        return self._bytes[start : self._ends[index]].decode("utf-8", "surrogateescape")

    def __eq__(self, other: object) -> bool:
        """Return whether another sequence holds the same strings in the same order."""
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented
