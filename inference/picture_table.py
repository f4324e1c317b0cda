"""The metrics of single pictures, as a CSV file."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from inference.pictures.files import whole_or_not_at_all

FILE = "pictures.csv"
Better = Literal["higher", "lower"]  # which values of a metric are the better ones


def short_names(names: Sequence[str]) -> list[str]:
    """Return names without their folder, if that is the same for all: where a picture is from may be its path."""
    folders = {name.rpartition("/")[0] for name in names}
    return [name.rpartition("/")[2] for name in names] if len(folders) == 1 else list(names)


def write_picture_table(file: Path, names: Sequence[str], metrics: Mapping[str, Sequence[float]]) -> None:
    """Write a row for each picture: its name, and its metrics to seven digits.

    Args:
        file: to write; one that exists is replaced.
        names: of the pictures.
        metrics: by its name each metric, one value for each picture. NaN, where there is nothing to measure, is an
            empty cell; infinity is ``inf``.
    """
    with whole_or_not_at_all(file) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as lines:
        rows = csv.writer(lines)
        rows.writerow(["name", *metrics])
        for name, *values in zip(names, *metrics.values(), strict=True):
            rows.writerow([name, *("" if math.isnan(value) else f"{value:.7g}" for value in values)])
