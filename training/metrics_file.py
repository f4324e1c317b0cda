"""Read a run's ``metrics.csv``, and continue it when the run is resumed; the only place that knows its format."""

import csv
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger

FILE = "metrics.csv"
STEP = "step"  # batches done, of every row
Series = list[tuple[int, float]]  # of (step, value)


class Metrics:
    """What a run has logged.

    Args:
        file: the run's ``metrics.csv``.

    Raises:
        ValueError: it is not there, or not such a file; the line names it.
    """

    def __init__(self, file: str | Path) -> None:
        expected = f"expected a CSV file with a column {STEP} and columns of numbers"
        try:
            with open(file, newline="") as text:
                # A last line without an end is what a process was writing when it was killed.
                table = csv.DictReader(line for line in text if line.endswith("\n"))
                cells, self.names = list(table), [name for name in table.fieldnames or [] if name != STEP]
            self.rows = [
                (int(row.pop(STEP)), {name: float(cell) for name, cell in row.items() if cell}) for row in cells
            ]
        except OSError as error:
            raise ValueError(f"{file}: {error.strerror}; {expected}") from None
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise ValueError(f"{file}: {expected}; {error!r}") from None

    def series(self, name: str) -> Series:
        """Return the (step, value) of all rows that have ``name``; empty if none has."""
        return [(step, values[name]) for step, values in self.rows if name in values]

    def last(self, prefix: str) -> dict[str, float]:
        """Return the last value of each name that begins with ``prefix``, without the prefix."""
        return {
            name.removeprefix(prefix): series[-1][1]
            for name in self.names
            if name.startswith(prefix) and (series := self.series(name))
        }

    def columns(self, prefix: str) -> dict[str, Sequence[float]]:
        """Return all values of each name that begins with ``prefix``, without the prefix."""
        return {
            name.removeprefix(prefix): [value for _, value in self.series(name)]
            for name in self.names
            if name.startswith(prefix)
        }


def continued_csv(run: Path, done: int) -> CSVLogger:
    """Build a CSV logger that keeps what a resumed run has logged so far; Lightning's own starts an empty file.

    Args:
        run: the run's folder.
        done: the steps of the checkpoint that it goes on from; later rows are dropped, as they will be logged again.
    """
    rows = Metrics(run / FILE).rows if (run / FILE).is_file() else []
    logger = CSVLogger(str(run.parent.parent), run.parent.name, version=run.name)
    for step, values in rows:
        if step < done:
            logger.log_metrics(dict(values), step)
    logger.save()
    return logger
