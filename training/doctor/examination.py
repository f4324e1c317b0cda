"""Examine the samples of a data set, and report what was found."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

from inference import DataError, Picture
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
        says: what is wrong, after the number of samples: "pairs are in two splits".
        where: the places, at least one.
        remedy: what to do.
    """

    severity: Severity
    says: str
    where: Sequence[Place]
    remedy: str

    def __str__(self) -> str:
        """Return it in a line, which names some of the places."""
        named = ", ".join(map(str, self.where[:NAMED]))
        more = f" and {len(self.where) - NAMED} more" if len(self.where) > NAMED else ""
        return f"{len(self.where)} {self.says}: {named}{more}; {self.remedy}"


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


def tell(
    samples: Sequence[Examined], findings: Sequence[Finding], file: str | None, counts: Sequence[str] = ()
) -> None:
    """Print the report, and write all findings to a JSON file if one is given.

    Args:
        samples: that were examined.
        findings: what is wrong.
        file: to write.
        counts: what else was found, in lines.

    Raises:
        DataError: something must be mended.
    """
    print(report(samples, findings, counts))
    if file is not None:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        found = [finding._asdict() | {"where": [str(place) for place in finding.where]} for finding in findings]
        Path(file).write_text(json.dumps(found, indent=2) + "\n")
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise DataError(f"{len(errors)} thing{'s' * (len(errors) > 1)} must be mended, named above")


def report(samples: Sequence[Examined], findings: Sequence[Finding], counts: Sequence[str] = ()) -> str:
    """Return what was examined and found, in lines: the counts, then errors, then warnings."""
    read = [sample for sample in samples if sample.error is None]
    places = dict.fromkeys((sample.split, key) for sample in read for key in sample.facts)
    lines = [
        f"{split:<8}{key:<10}{_kinds(sample.facts[key] for sample in read if sample.split == split)}"
        for split, key in places
    ]
    lines += counts
    lines += [f"{each.severity:<8}{each}" for each in sorted(findings, key=lambda each: each.severity)]
    return "\n".join([*lines, *(["nothing is wrong"] if not findings else [])])


def _kinds(facts: Iterable[Facts]) -> str:
    """Count pictures by their kinds, and tell the range of their numbers and of their sizes."""
    counts: dict[str, int] = {}
    ranges: dict[str, list[float]] = {}
    sizes = []
    for each in facts:
        counts[each.kind] = counts.get(each.kind, 0) + 1
        ranges.setdefault(each.kind, []).extend(number for number in each.range if not math.isnan(number))
        sizes.append(each.size)
    kinds = ", ".join(f"{count} of {kind}{_from_to(ranges[kind])}" for kind, count in counts.items())
    low, high = min(sizes), max(sizes)
    same = "all" if low == high else f"{low[0]} x {low[1]} to"
    return f"{kinds}; {same} {high[0]} x {high[1]} (height x width)"


def _from_to(numbers: Sequence[float]) -> str:
    return f" ({min(numbers):g} to {max(numbers):g})" if numbers else " (no number)"
