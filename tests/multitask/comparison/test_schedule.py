"""The order in which runs are trained, without training anything."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from multitask.comparison.schedule import train_all


@dataclass
class Pretended:
    """Stands for a run; what it notes is shared by those of a test."""

    name: str
    began: list[str] = field(default_factory=list)
    trained: bool = False
    threads: int = 0

    @property
    def folder(self) -> Path:
        return Path("out", self.name)

    def test_metrics(self) -> dict[str, float]:
        return {"loss": 1.0} if self.trained else {}

    def train(self, threads: int) -> None:
        self.began.append(self.name)
        self.threads = threads
        if self.name == "broken":
            raise ValueError("broken: a line")


def pretend(*names: str) -> list[Any]:
    began: list[str] = []
    return [Pretended(name, began) for name in names]


def test_what_follows_a_run_starts_before_those_that_wait(capsys: pytest.CaptureFixture[str]) -> None:
    runs = pretend("one", "gradnorm", "two", "three")
    static = Pretended("static", runs[0].began)
    over = train_all(runs, 1, 5, lambda run: [static] if run.name == "gradnorm" else [])
    assert runs[0].began == ["one", "gradnorm", "static", "two", "three"] == [run.name for run in over]
    assert "[3/5] static: 0:00:00\n[4/5] two: 0:00:00\n" in capsys.readouterr().out


def test_what_is_trained_is_not_trained_again_but_followed(capsys: pytest.CaptureFixture[str]) -> None:
    runs = pretend("gradnorm")
    runs[0].trained = True
    static = Pretended("static", runs[0].began)
    train_all(runs, 2, 2, lambda run: [static] if run.name == "gradnorm" else [])
    assert runs[0].began == ["static"]
    assert capsys.readouterr().out == "[2/2] static: 0:00:00\n"


def test_several_run_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=30)

    class Meeting(Pretended):
        def train(self, threads: int) -> None:
            together.wait()

    over = train_all([Meeting(name) for name in "ab"], 2, 2, lambda run: [])  # type: ignore[misc]
    assert {run.name for run in over} == {"a", "b"}


def test_after_a_failure_nothing_starts() -> None:
    runs = pretend("one", "broken", "two")
    with pytest.raises(ValueError, match="broken: a line"):
        train_all(runs, 1, 3, lambda run: [])
    assert runs[0].began == ["one", "broken"]
