"""How far something has come that looks at all samples."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def counted(samples: Iterable[T], title: str, total: int) -> Iterator[T]:
    """Yield what is done for each sample, and show in a terminal how far it is.

    Args:
        samples: what is done, one for each.
        title: what stands before the bar.
        total: how many there are.
    """
    yield from tqdm(samples, title, total, unit=" samples", disable=None)
