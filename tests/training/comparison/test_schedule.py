"""The order in which runs are trained, without training anything."""

import threading
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.training.comparison.test_progress import Terminal
from training.comparison.run import Run
from training.comparison.schedule import gpus_of_jobs, train_all


@dataclass
class Pretended:
    """Stands for a run; what it notes is shared by those of a test."""

    name: str
    began: list[str] = field(default_factory=list)
    trained: bool = False
    gpu: str | None = "none yet"

    @property
    def folder(self) -> Path:
        return Path("out", self.name)

    def length(self) -> tuple[int, str]:
        return 1, "epochs"

    def done(self) -> int:
        return 0

    def test_metrics(self) -> dict[str, float]:
        return {"loss": 1.0} if self.trained else {}

    def train(self, threads: int, gpu: str | None) -> None:
        self.began.append(self.name)
        self.gpu = gpu
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
    said = capsys.readouterr().out.splitlines()
    assert said[2] == "[3/5] static: 0:00:00; about 0:00:00 to go"
    assert said[4] == "[5/5] three: 0:00:00"


def test_what_is_trained_is_not_trained_again_but_followed(capsys: pytest.CaptureFixture[str]) -> None:
    runs = pretend("gradnorm")
    runs[0].trained = True
    static = Pretended("static", runs[0].began)
    train_all(runs, 2, 2, lambda run: [static] if run.name == "gradnorm" else [])
    assert runs[0].began == ["static"]
    assert capsys.readouterr().out == "[2/2] static: 0:00:00\n"
    train_all(runs, 2, 5, lambda run: [static] if run.name == "gradnorm" else [], before=2)
    assert capsys.readouterr().out == "[4/5] static: 0:00:00; about 0:00:00 to go\n"


def test_several_run_at_the_same_time_each_on_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    together = threading.Barrier(2, timeout=30)

    class Meeting(Pretended):
        def train(self, threads: int, gpu: str | None) -> None:
            self.gpu = gpu
            together.wait()

    over = train_all([Meeting(name) for name in "ab"], 2, 2, lambda run: [])  # type: ignore[misc]
    assert {(run.name, run.gpu) for run in over} == {("a", "2"), ("b", "5")}  # type: ignore[attr-defined]


def test_jobs_take_gpus_in_turn_and_one_job_has_all() -> None:
    assert gpus_of_jobs(5, ["0", "1"]) == ["0", "1", "0", "1", "0"]
    assert gpus_of_jobs(1, ["0", "1"]) == [None]
    assert gpus_of_jobs(3, ["0"]) == gpus_of_jobs(3, []) == [None] * 3


def test_the_gpu_of_a_run_that_is_over_is_free_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    over = train_all(pretend(*"abcdef"), 2, 6, lambda run: [])
    assert {run.gpu for run in over} == {"0", "1"}  # type: ignore[attr-defined]
    assert len(over) == 6


def test_a_run_sees_its_gpu_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []
    monkeypatch.setattr(
        "training.comparison.run._run", lambda program, command, words, environment: seen.append(environment)
    )
    run = Run("multitask", tmp_path, "equal", 0, {"trainer": {}})
    run.train(3, "5")
    run.train(3)
    assert seen == [{"OMP_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": "5"}, {"OMP_NUM_THREADS": "3"}]


def test_a_terminal_shows_what_runs() -> None:
    with redirect_stdout(Terminal()) as terminal:
        train_all(pretend("one", "two", "three"), 1, 3)
    assert "0 of 3 over, 2 waiting" in terminal.getvalue()
    assert "1 of 3 over, 1 waiting, about 0:00:00 to go" in terminal.getvalue()


def test_after_a_failure_nothing_starts() -> None:
    runs = pretend("one", "broken", "two")
    with pytest.raises(ValueError, match="broken: a line"):
        train_all(runs, 1, 3, lambda run: [])
    assert runs[0].began == ["one", "broken"]
