"""Weights that one run found, for the next run to keep: their average over time, in a file."""

import csv
import json
import math
import statistics
from collections.abc import Collection, Mapping
from pathlib import Path


def time_average(metrics: str | Path, *, prefix: str = "weight/") -> dict[str, float]:
    """Average each task's weight over a run, as Chen et al. 2018 do for what they call static weights.

    Args:
        metrics: CSV file of the run, with a column for each task's weight; empty cells are left out.
        prefix: how the names of these columns begin.

    Returns:
        The mean weight of each task.

    Raises:
        ValueError: names the file and what was expected in it.
    """
    expected = f"expected a CSV file with columns {prefix}TASK of numbers"
    rows, names = read_metrics(metrics, prefix, expected)
    averages = {}
    for name in names:
        try:
            average = statistics.fmean(float(row[name]) for row in rows if row[name])
            if not math.isfinite(average):
                raise ValueError(f"the average is {average}")
            averages[name.removeprefix(prefix)] = average
        except (ValueError, statistics.StatisticsError) as error:
            reason = "is empty" if isinstance(error, statistics.StatisticsError) else f"has no number: {error}"
            raise ValueError(f"{metrics}: the column {name} {reason}; {expected}") from None
    return averages


def read_metrics(
    metrics: str | Path, prefix: str, expected: str, *, also: Collection[str] = ()
) -> tuple[list[dict[str, str]], list[str]]:
    """Read the CSV file of a run, such as Lightning's ``CSVLogger`` writes.

    Args:
        metrics: the file.
        prefix: how the names of the wanted columns begin.
        expected: what the file should hold, for messages.
        also: other columns that must be there.

    Returns:
        Its rows by the names of the columns, and the names that begin with the prefix, at least one.

    Raises:
        ValueError: names the file and what was expected in it.
    """
    try:
        with open(metrics, newline="") as file:
            table = csv.DictReader(file)
            rows, columns = list(table), table.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"{metrics}: {reason}; {expected}") from None
    names = [name for name in columns if name.startswith(prefix)]
    if not names or not set(also) <= set(columns):
        raise ValueError(f"{metrics}: {expected}; its columns are {', '.join(columns) or 'none'}")
    return rows, names


def write_weights(weights: Mapping[str, float], file: str | Path) -> None:
    """Write the weights of tasks to a JSON file that :class:`losses.FixedWeighting` takes.

    Args:
        weights: of each task.
        file: what was in it is lost.
    """
    Path(file).write_text(json.dumps(dict(weights), indent=2) + "\n")


def read_weights(file: str | Path) -> dict[str, float]:
    """Read the weights of tasks from a JSON file.

    Args:
        file: an object with a number for each task, such as ``{"seg": 1.2, "depth": 0.8}``.

    Raises:
        ValueError: names the file and what was expected in it.
    """
    expected = 'expected a JSON object with a weight for each task, such as {"seg": 1.2, "depth": 0.8}'
    try:
        weights = json.loads(Path(file).read_text())
    except (OSError, ValueError) as error:  # what is no text and what is no JSON are ValueErrors
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"{file}: {reason}; {expected}") from None
    if not (isinstance(weights, dict) and weights and all(type(value) in (int, float) for value in weights.values())):
        raise ValueError(f"{file}: {expected}; got {json.dumps(weights):.80}")
    return {task: float(weight) for task, weight in weights.items()}
