"""Examine the samples of a data set, and report what was found."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tqdm import tqdm

from inference import DataError, Picture
from training.doctor.pictures import Facts, facts_of

Severity = Literal["error", "warning"]
NAMED = 3  # samples that a line of the report names


class Finding(NamedTuple):
    """Something that is wrong.

    Attributes:
        severity: ``error`` where a training cannot be trusted or does not start, else ``warning``.
        says: what is wrong, after the number of samples: "pairs are in two splits".
        where: the samples, in words.
        remedy: what to do.
    """

    severity: Severity
    says: str
    where: list[str]
    remedy: str


class Examined(NamedTuple):
    """A sample that was read, or could not be.

    Attributes:
        split: its split.
        name: unique in the split.
        facts: of its pictures, by what they are.
        error: why it could not be read; None if it could.
    """

    split: str
    name: str
    facts: Mapping[str, Facts]
    error: str | None = None

    def __str__(self) -> str:
        """Return what messages call it."""
        return f"{self.split}/{self.name}"


def examine(
    split: str, names: Sequence[str], read: Callable[[int], Mapping[str, Picture]], threads: int = 4
) -> list[Examined]:
    """Read all samples of a split, in threads.

    Args:
        split: its name.
        names: of its samples.
        read: opens the pictures of the sample at an index.
        threads: how many.
    """

    def one(index: int) -> Examined:
        try:
            pictures = read(index)
            return Examined(split, names[index], {key: facts_of(picture) for key, picture in pictures.items()})
        except (ValueError, OSError) as error:
            return Examined(split, names[index], {}, " ".join(str(error).split()))

    with ThreadPoolExecutor(threads) as pool:
        return list(tqdm(pool.map(one, range(len(names))), split, len(names), unit=" samples", disable=None))


def tell(samples: Sequence[Examined], findings: Sequence[Finding], file: str | None) -> None:
    """Print the report, and write all findings to a JSON file if one is given.

    Raises:
        DataError: something must be mended.
    """
    print(report(samples, findings))
    if file is not None:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(json.dumps([finding._asdict() for finding in findings], indent=2) + "\n")
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise DataError(f"{len(errors)} thing{'s' * (len(errors) > 1)} must be mended, named above")


def report(samples: Sequence[Examined], findings: Sequence[Finding]) -> str:
    """Return what was examined and found, in lines; errors first."""
    read = [sample for sample in samples if sample.error is None]
    places = dict.fromkeys((sample.split, key) for sample in read for key in sample.facts)
    lines = [
        f"{split:<8}{key:<10}{_kinds(sample.facts[key] for sample in read if sample.split == split)}"
        for split, key in places
    ]
    for finding in sorted(findings, key=lambda each: each.severity):
        named = ", ".join(finding.where[:NAMED]) + f" and {len(finding.where) - NAMED} more" * (
            len(finding.where) > NAMED
        )
        lines.append(f"{finding.severity:<8}{len(finding.where)} {finding.says}: {named}; {finding.remedy}")
    return "\n".join([*lines, *(["nothing is wrong"] if not findings else [])])


def _kinds(facts: Iterable[Facts]) -> str:
    """Count pictures by their kinds, and tell the range of their sizes."""
    counts: dict[Any, int] = {}
    sizes = []
    for each in facts:
        counts[each.kind] = counts.get(each.kind, 0) + 1
        sizes.append(each.size)
    kinds = ", ".join(f"{count} of {kind}" for kind, count in counts.items())
    low, high = min(sizes), max(sizes)
    same = "all" if low == high else f"{low[0]} x {low[1]} to"
    return f"{kinds}; {same} {high[0]} x {high[1]} (height x width)"
