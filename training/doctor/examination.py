"""Examine the samples of a data set."""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

from inference import Picture
from training.data import Split
from training.data.counted import counted
from training.doctor.pictures import Facts, facts_of

Severity = Literal["error", "warning"]
GLANCE = 32  # samples at most that are examined before a training
NAMED = 3  # samples that a line of the report names


class Place(NamedTuple):
    """Where something is wrong.

    Attributes:
        samples: SPLIT/NAME of those that are meant: one, or two that have to do with each other; or none.
        note: what there is to say of this place.
    """

    samples: tuple[str, ...]
    note: str = ""

    def __str__(self) -> str:
        """Return the names, and the note after them."""
        names = " and ".join(self.samples)
        return f"{names} ({self.note})" if names and self.note else names or self.note


class Finding(NamedTuple):
    """Something that is wrong.

    Attributes:
        severity: ``error`` where a training cannot be trusted or does not start, else ``warning``.
        says: what is wrong: "pairs are in two splits".
        where: the places, at least one.
        remedy: what to do.
    """

    severity: Severity
    says: str
    where: Sequence[Place]
    remedy: str

    def __str__(self) -> str:
        """Return it in a line."""
        return f"{self.says}: {self.some_places()}; {self.remedy}"

    def some_places(self) -> str:
        """Name the first of the places, and how many more there are."""
        named = ", ".join(map(str, self.where[:NAMED]))
        return f"{named} and {len(self.where) - NAMED} more" if len(self.where) > NAMED else named


class Examined(NamedTuple):
    """A sample that was read, or could not be.

    Attributes:
        split: its split.
        name: unique in the split.
        position: in the split, from 0 on.
        facts: of its pictures, by what they are.
        error: why it could not be read; None if it could.
    """

    split: Split
    name: str
    position: int
    facts: Mapping[str, Facts]
    error: str | None = None

    def __str__(self) -> str:
        """Return what messages call it."""
        return f"{self.split}/{self.name}"

    def place(self, note: str = "") -> Place:
        """Return where something is wrong with this sample alone."""
        return Place((str(self),), note)


def examine(
    split: Split,
    names: Sequence[str],
    read: Callable[[int], Mapping[str, Picture]],
    indices: Sequence[int] | None = None,
    threads: int = 4,
) -> list[Examined]:
    """Read samples of a split, in threads.

    Args:
        split: its name.
        names: of its samples.
        read: opens the pictures of the sample at an index.
        indices: of those that are read; of all by default.
        threads: how many.
    """
    indices = range(len(names)) if indices is None else indices

    def one(index: int) -> Examined:
        try:
            pictures = read(index)
            return Examined(split, names[index], index, {key: facts_of(picture) for key, picture in pictures.items()})
        except (ValueError, OSError) as error:
            return Examined(split, names[index], index, {}, " ".join(str(error).split()))

    with ThreadPoolExecutor(threads) as pool:
        return list(counted(pool.map(one, indices), split, len(indices)))


def evenly(count: int, most: int | None) -> range:
    """Return the indices of at most so many of ``count`` samples, from all over them; of all for None."""
    return range(0, count, max(math.ceil(count / (most or max(count, 1))), 1))
