"""Report what the examination of a data set found."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inference import DataError
from training.doctor.examination import Examined, Finding
from training.doctor.pictures import Facts

Row = tuple[str, ...]
COLORS = {"error": "bold red", "warning": "yellow"}
UNBROKEN = 10_000  # columns of what is no terminal: a row is a line, for grep and the like


def tell(
    samples: Sequence[Examined], findings: Sequence[Finding], file: str | None, counts: Sequence[Row] = ()
) -> None:
    """Print the report, and write all findings to a JSON file if one is given.

    Args:
        samples: that were examined.
        findings: what is wrong.
        file: to write.
        counts: what else was found: rows of a split, a name, a number of samples, and words.

    Raises:
        DataError: something must be fixed.
    """
    show(report(samples, findings, counts))
    if not findings:
        print("nothing is wrong")
    if file is not None:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        found = [finding._asdict() | {"where": [str(place) for place in finding.where]} for finding in findings]
        Path(file).write_text(json.dumps(found, indent=2) + "\n")
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise DataError(f"{len(errors)} thing{'s' * (len(errors) > 1)} must be fixed, named above")


def show(tables: Iterable[Table]) -> None:
    """Print tables, as wide as the terminal, a blank line between them.

    A row is one line where the output goes to a file or a program.
    """
    console = Console()
    if not console.is_terminal:
        console.width = UNBROKEN
    for index, table in enumerate(tables):
        with console.capture() as capture:
            console.print(table)
        lines = [line.rstrip() for line in capture.get().splitlines()]
        print(*[""] * (index > 0), *lines, sep="\n")


def report(samples: Sequence[Examined], findings: Sequence[Finding], counts: Sequence[Row] = ()) -> list[Table]:
    """Return what was examined, with the counts, and what was found, errors first, as tables."""
    read = [sample for sample in samples if sample.error is None]
    places = dict.fromkeys((sample.split, key) for sample in read for key in sample.facts)
    examined = _table("split", "what", "samples", "what they hold")
    for split, key in places:
        facts = [sample.facts[key] for sample in read if sample.split == split]
        examined.add_row(*map(Text, (split, key, str(len(facts)), _kinds(facts))))
    for row in counts:
        examined.add_row(*map(Text, row))
    if not findings:
        return [examined]
    found = _table("", "number", "what is wrong", "where", "what to do")
    for each in sorted(findings, key=lambda each: each.severity):
        severity = Text(each.severity, COLORS[each.severity])
        found.add_row(severity, *map(Text, (str(len(each.where)), each.says, each.some_places(), each.remedy)))
    return [examined, found]


def _table(*titles: str) -> Table:
    """Return a table without lines, whose text columns share the width that there is."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in titles:
        table.add_column(title, justify="right" if title in ("samples", "number") else "left", overflow="fold")
    return table


def _kinds(facts: Iterable[Facts]) -> str:
    """Tell the kinds of pictures, counted if there are several, and the range of their numbers and of their sizes."""
    counts: dict[str, int] = {}
    ranges: dict[str, list[float]] = {}
    sizes = []
    for each in facts:
        counts[each.kind] = counts.get(each.kind, 0) + 1
        ranges.setdefault(each.kind, []).extend(number for number in each.range if not math.isnan(number))
        sizes.append(each.size)
    several = len(counts) > 1
    kinds = ", ".join(f"{f'{count} of ' * several}{kind}{_from_to(ranges[kind])}" for kind, count in counts.items())
    low, high = min(sizes), max(sizes)
    same = "all" if low == high else f"{low[0]} x {low[1]} to"
    return f"{kinds}; {same} {high[0]} x {high[1]} (height x width)"


def _from_to(numbers: Sequence[float]) -> str:
    return f" ({min(numbers):g} to {max(numbers):g})" if numbers else " (no number)"
