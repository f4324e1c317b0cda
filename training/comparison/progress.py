"""How far a comparison is."""

import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from tqdm import tqdm

from training.comparison.run import Run

ROW = "{desc:<32} {bar:16} {n_fmt}/{total_fmt} {unit}  {elapsed}"


class Progress:
    """A line for each run that is over and, where stdout is a terminal, a table below of those that run.

    Above the table stand how many runs are over and how many wait, and the time left.

    Args:
        count: of all runs.
        jobs: runs at the same time.
        before: how many of them are over already.

    Attributes:
        every: the seconds after which to draw the table again; None without a terminal.
    """

    def __init__(self, count: int, jobs: int, before: int = 0) -> None:
        self.every = 2.0 if sys.stdout.isatty() else None
        self._count = count
        self._jobs = jobs
        self._over = before
        self._took: list[float] = []
        self._running: dict[Path, tuple[Run, float, tqdm[NoReturn]]] = {}  # by their folders, with when they began
        self._head: tqdm[NoReturn] = tqdm(bar_format="{desc}", leave=False, disable=self.every is None, file=sys.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, _, row in self._running.values():
            row.close()
        self._head.close()

    def start(self, run: Run) -> None:
        """Give a run a row."""
        total, unit = run.length()
        row: tqdm[NoReturn] = tqdm(
            desc=run.folder.name,
            total=total,
            unit=unit,
            bar_format=ROW,
            leave=False,
            disable=self.every is None,
            file=sys.stdout,
        )
        self._running[run.folder] = run, time.monotonic(), row

    def end(self, run: Run, seconds: float | None) -> None:
        """Take the row of a run away, and print its line.

        Args:
            run: that is over.
            seconds: that it took; None if it was trained already, which is no news.
        """
        _, _, row = self._running.pop(run.folder)
        row.close()
        self._over += 1
        if seconds is not None:
            self._took.append(seconds)
            left = self._left()
            line = f"[{self._over}/{self._count}] {run.folder.name}: {_clock(seconds)}"
            with tqdm.external_write_mode(file=sys.stdout):
                print(line + f"; about {_clock(left)} to go" * (left > 0), flush=True)

    def draw(self) -> None:
        """Draw the table again, with what the runs have logged since."""
        if self.every is None:
            return
        for run, _, row in self._running.values():
            row.n = max(row.n, run.done())  # which knows nothing while the file is written
            row.refresh()
        waiting = self._count - self._over - len(self._running)
        text = f"{self._over} of {self._count} over, {waiting} waiting"
        if self._took:
            now = time.monotonic()
            spent = sum(now - began for _, began, _ in self._running.values())
            text += f", about {_clock(max(0, self._left() - spent / self._jobs))} to go"
        self._head.set_description_str(text)

    def _left(self) -> float:
        """The seconds that all runs will take that were not over when the last one ended."""
        return (self._count - self._over) * statistics.fmean(self._took) / self._jobs


def _clock(seconds: float) -> timedelta:
    return timedelta(seconds=round(seconds))
