"""The table of a comparison on a terminal, without training and without waiting."""

import io
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from training.comparison.progress import Progress
from training.comparison.run import Run


@dataclass
class Pretended:
    """Stands for a run of ten epochs."""

    name: str
    logged: int = 0

    @property
    def folder(self) -> Path:
        return Path("out", self.name)

    def length(self) -> tuple[int, str]:
        return 10, "epochs"

    def done(self) -> int:
        return self.logged


class Terminal(io.StringIO):
    """A screen without a size, which knows what is to be seen on it."""

    def isatty(self) -> bool:
        return True

    def rows(self) -> list[str]:
        screen, row, column = {0: ""}, 0, 0
        for part in re.split(r"(\r|\n|\x1b\[A)", self.getvalue()):
            if part == "\r":
                column = 0
            elif part == "\n":
                row, column = row + 1, 0
            elif part == "\x1b[A":
                row -= 1
            else:
                before = screen.get(row, "")
                screen[row] = before[:column] + part + before[column + len(part) :]
                column += len(part)
        return [screen.get(row, "").rstrip() for row in range(max(screen) + 1)]


def pretend(*names: str) -> list[Any]:
    return [Pretended(name) for name in names]


def test_a_table_shows_what_runs_below_the_lines_of_what_is_over() -> None:
    one, two, three = pretend("one-seed0", "two-seed0", "three-seed0")
    with redirect_stdout(Terminal()) as terminal, Progress(5, 2) as progress:
        progress.start(one)
        progress.start(two)
        two.logged = 5
        progress.draw()
        assert terminal.rows()[:3] == [
            "0 of 5 over, 3 waiting",
            f"{'one-seed0':<32} {' ' * 16} 0/10 epochs  00:00",
            f"{'two-seed0':<32} {'#' * 8 + ' ' * 8} 5/10 epochs  00:00",
        ]
        progress.end(one, 60.0)
        progress.start(three)
        progress.draw()
        first, head, *rows = terminal.rows()
        assert first == "[1/5] one-seed0: 0:01:00; about 0:02:00 to go"
        assert head == "1 of 5 over, 2 waiting, about 0:02:00 to go"
        assert [row.split()[0] for row in rows if row] == ["three-seed0", "two-seed0"]
        progress.end(two, None)  # it was trained already
        progress.end(three, 60.0)
    shown = [row for row in terminal.rows() if row]
    assert shown == [first, "[3/5] three-seed0: 0:01:00; about 0:01:00 to go"]


def test_without_a_terminal_there_are_the_lines_alone(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = pretend("one", "two")
    with Progress(2, 1) as progress:
        assert progress.every is None
        for run in one, two:
            progress.start(run)
            progress.draw()
            progress.end(run, 30.0)
    assert capsys.readouterr().out == "[1/2] one: 0:00:30; about 0:00:30 to go\n[2/2] two: 0:00:30\n"


def test_a_failure_leaves_no_table_behind() -> None:
    terminal = Terminal()
    with pytest.raises(ValueError, match="no"), redirect_stdout(terminal), Progress(2, 1) as progress:
        progress.start(pretend("one")[0])
        progress.draw()
        raise ValueError("no")
    assert [row for row in terminal.rows() if row] == []


def test_a_run_tells_its_epochs_or_its_steps(tmp_path: Path) -> None:
    config = {"trainer": {"max_epochs": 3}}
    epochs, steps = Run("multitask", tmp_path, "a", 0, config), Run("multitask", tmp_path, "a", 0, config, steps=90)
    assert (epochs.length(), epochs.done()) == ((3, "epochs"), 0)
    assert Run("multitask", tmp_path, "a", 0, {"trainer": {"max_epochs": -1}}).length() == (None, "epochs")
    file = epochs.folder / "2026-01-01" / "metrics.csv"
    file.parent.mkdir(parents=True)
    file.write_text("step,epoch,train/total\n9,0,1.0\n39,1,0.5\n")
    assert epochs.done() == 1
    assert (steps.length(), steps.done()) == ((90, "steps"), 40)
    file.write_text("step,epoch,test/loss\n90,3,1.0\n")  # the test, after the last step
    assert (epochs.done(), steps.done()) == (3, 90)
    file.write_text("step,epoch,tr")  # in the middle of being written
    assert epochs.done() == 0
