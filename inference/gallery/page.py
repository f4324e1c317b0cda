"""The page of a gallery: one HTML file that needs no other to be read."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, NamedTuple

from inference.picture_table import Better

PLACES = ("/* style */", "/* script */", "/* data */")  # in page.html


class Shown(NamedTuple):
    """A picture on the page.

    Attributes:
        thumbnail: a data URI.
        link: the address of the full picture, relative to the page.
        size: width and height of the full picture.
    """

    thumbnail: str
    link: str
    size: tuple[int, int]


class Item(NamedTuple):
    """What the page shows together: the pictures of one name.

    Attributes:
        name: any text.
        pictures: by their columns; one that lacks a column has a gap there.
        metrics: by their names; NaN where there is nothing to measure.
    """

    name: str
    pictures: Mapping[str, Shown]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class About:
    """What a page says beside its pictures; all of it is text, and shown as such.

    Attributes:
        title: of the page.
        lines: the columns as they lie on the page, line by line; None is a gap.
        better: the metrics, and which of their values are better; the first sorts the page at the beginning.
        facts: sentences below the title.
        notes: what a column shows, by its name.
        legend: by its name what a color means, red, green and blue in [0, 1].
        curves: the data URI of a picture of the training's curves.
        configuration: the text of the run's configuration.
        command: what made the page.
    """

    title: str
    lines: Sequence[Sequence[str | None]]
    better: Mapping[str, Better] = field(default_factory=dict)
    facts: Sequence[str] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    legend: Mapping[str, Sequence[float]] = field(default_factory=dict)
    curves: str | None = None
    configuration: str | None = None
    command: str | None = None

    @property
    def columns(self) -> list[str]:
        """The columns, line by line."""
        return [column for line in self.lines for column in line if column is not None]


def render(about: About, items: Sequence[Item]) -> str:
    """Return the page as HTML; texts go into it as data, never as markup.

    Args:
        about: what it says.
        items: its pictures.
    """
    contents = [_file("page.css"), _file("page.js"), _as_json(_data(about, items))]
    page = _file("page.html")
    for place, content in zip(PLACES, contents, strict=True):  # the data last: they may hold anything
        before, _, after = page.partition(place)
        page = before + content + after
    return page


def _file(name: str) -> str:
    return resources.files("inference.gallery").joinpath(name).read_text(encoding="utf-8")


def _data(about: About, items: Sequence[Item]) -> dict[str, Any]:
    columns, metrics = about.columns, list(about.better)
    return {
        "title": about.title,
        "facts": list(about.facts),
        "columns": [{"name": name, "note": about.notes.get(name, "")} for name in columns],
        "lines": [[None if name is None else columns.index(name) for name in line] for line in about.lines],
        "metrics": [{"name": name, "better": better} for name, better in about.better.items()],
        "legend": [{"name": name, "color": _hex(color)} for name, color in about.legend.items()],
        "curves": about.curves,
        "configuration": about.configuration,
        "command": about.command,
        "items": [
            {
                "name": item.name,
                "pictures": [item.pictures.get(column) for column in columns],
                "metrics": [_number(item.metrics.get(name, math.nan)) for name in metrics],
            }
            for item in items
        ],
    }


def _number(value: float) -> float | str | None:
    """Return a number to seven digits as JSON has it: infinity as text, NaN as null."""
    if math.isnan(value):
        return None
    return str(value) if math.isinf(value) else float(f"{value:.7g}")


def _hex(color: Sequence[float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)


def _as_json(data: object) -> str:
    """Return JSON that cannot end the script element that it stands in, whatever its texts are."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
