from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from torch.testing import assert_close

from multitask.toy import METHODS, Problem, Run, Runs, tabulate, toy, train


class Watched(Problem):
    """Remembers all points that a training asks for."""

    def __init__(self, tasks: int, seed: int) -> None:
        super().__init__(tasks, seed)
        self.seen: list[Tensor] = []

    def inputs(self, count: int, generator: Generator) -> Tensor:
        self.seen.append(super().inputs(count, generator))
        return self.seen[-1]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same experiment of fewer numbers, for what does not depend on them."""
    for name, size in {"INPUTS": 6, "OUTPUTS": 4, "WIDTH": 8, "TEST": 20, "BATCH": 5}.items():
        monkeypatch.setattr(f"multitask.toy.{name}", size)


def test_the_functions_are_the_paper_s() -> None:
    problem = Problem(2, seed=0)
    inputs = problem.inputs(5, Generator().manual_seed(1))
    assert_close(inputs.norm(dim=1), torch.ones(5))
    assert problem.scales.tolist() == [1, 100]
    for task, scale in enumerate((1, 100)):
        expected = scale * np.tanh(inputs.double().numpy() @ problem.matrices[task].double().numpy().T)
        assert_close(problem.targets(inputs)[task].double(), torch.from_numpy(expected), atol=1e-3, rtol=1e-4)


def test_matrices_share_a_part() -> None:
    """Variances add: 10 + 3.5 of each, and between two tasks, which share the 10, twice 3.5."""
    first, second = Problem(2, seed=3).matrices
    assert first.var().item() == pytest.approx(13.5, rel=0.05)
    assert (first - second).var().item() == pytest.approx(7, rel=0.05)


def test_ten_scales_are_drawn_and_sorted() -> None:
    scales = Problem(10, seed=0).scales
    assert scales.tolist() == sorted(scales.tolist())
    assert len(set(scales.tolist())) == 10
    assert not torch.equal(scales, Problem(10, seed=1).scales)


def test_all_methods_see_the_same_data_from_the_same_start(monkeypatch: pytest.MonkeyPatch) -> None:
    losses: list[float] = []

    def recorded(prediction: Tensor, target: Tensor) -> Tensor:
        loss = torch.nn.functional.mse_loss(prediction, target)
        losses.append(loss.item())
        return loss

    monkeypatch.setattr("multitask.toy.mse_loss", recorded)
    starts, data = [], []
    for number, make in enumerate(METHODS.values()):
        torch.manual_seed(number)  # what was drawn before does not matter
        problem = Watched(2, seed=0)
        losses.clear()
        run = train(problem, make, steps=3, seed=0)
        assert run.losses[0] == 2
        starts.append(losses[: 3 * 2])  # the first test losses, once more for the first ratios, the first batch
        data.append(torch.cat(problem.seen))
    assert starts[0] == starts[1] == starts[2]
    assert len(data[0]) == 1000 + 3 * 100
    assert torch.equal(data[0], data[1])
    assert torch.equal(data[0], data[2])
    assert len(data[0].unique(dim=0)) == len(data[0])  # fresh data in each step


@pytest.mark.usefixtures("small")
def test_another_seed_is_another_training() -> None:
    problems = [Watched(2, seed) for seed in (0, 1)]
    runs = [train(problem, METHODS["equal weights"], 2, seed) for seed, problem in enumerate(problems)]
    assert runs[0].losses[-1] != runs[1].losses[-1]
    assert not torch.equal(problems[0].matrices, problems[1].matrices)
    assert all(not torch.equal(*points) for points in zip(problems[0].seen, problems[1].seen, strict=True))


def test_gradnorm_raises_the_weight_of_the_task_of_small_scale() -> None:
    run = train(Problem(2, seed=0), METHODS["GradNorm"], 30, seed=0)
    assert run.weights[0] == [1, 1]
    assert run.weights[-1][0] > 1.5
    assert sum(run.weights[-1]) == pytest.approx(2)


@pytest.mark.usefixtures("small")
def test_the_last_step_is_measured() -> None:
    run = train(Problem(2, seed=0), METHODS["equal weights"], 203, seed=0)
    assert run.steps == [*range(0, 203, 2), 203]
    assert len(run.losses) == len(run.weights) == len(run.steps)


def test_the_table_holds_mean_and_deviation_of_the_last_measurements() -> None:
    def runs_with(*ends: float) -> list[Run]:
        return [Run([1.0, 100.0], [0, 1], [2.0, end], [[1.0, 1.0]] * 2) for end in ends]

    runs: Runs = {(2, "GradNorm"): runs_with(1.7, 1.8, 1.9), (10, "GradNorm"): runs_with(8.5)}
    assert tabulate(runs).splitlines() == [
        "| sum of test loss ratios | 2 tasks | 10 tasks |",
        "| --- | --- | --- |",
        "| GradNorm | 1.800 +- 0.100 | 8.500 |",
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_a_run_leaves_a_table_and_a_figure_and_the_next_the_same(tmp_path: Path, capsys: Any) -> None:
    for folder in ("one", "other"):
        toy(tmp_path / folder, seeds=2, steps=2)
    table = (tmp_path / "one" / "toy.md").read_text()
    assert table in capsys.readouterr().out
    assert [row.split(" | ")[0] for row in table.splitlines()[2:]] == [f"| {method}" for method in METHODS]
    assert table == (tmp_path / "other" / "toy.md").read_text()
    assert (tmp_path / "one" / "toy.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("option", ["seeds", "steps"])
def test_bad_options_are_refused_by_name(tmp_path: Path, option: str) -> None:
    options: dict[str, Any] = {option: 0}
    with pytest.raises(ValueError, match=f"^{option} must be at least 1; got 0$"):
        toy(tmp_path / "none", **options)
    assert not (tmp_path / "none").exists()
