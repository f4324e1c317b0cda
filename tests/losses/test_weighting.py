import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from losses import (
    DynamicWeightAverage,
    FixedWeighting,
    GeometricMean,
    GradNorm,
    UncertaintyWeighting,
    Weighting,
)

TASKS = ("seg", "depth", "edge")
LIKELIHOODS: dict[str, Any] = {"seg": "categorical", "depth": "laplace", "edge": "gaussian"}


def every_weighting() -> list[Weighting]:
    return [
        FixedWeighting(TASKS),
        UncertaintyWeighting(LIKELIHOODS),
        DynamicWeightAverage(TASKS),
        GeometricMean(TASKS),
        GradNorm(TASKS),
    ]


def losses_of(values: list[float], parameter: Tensor) -> dict[str, Tensor]:
    """Losses with these values, whose gradients in the parameter are 1, 2 and 3."""
    return {
        task: value + slope * (parameter - parameter.detach())
        for task, value, slope in zip(TASKS, values, (1, 2, 3), strict=False)
    }


def train(weighting: Weighting, values: list[float]) -> float:
    """One step; gives the gradient of the total in the parameter behind the losses."""
    parameter = torch.zeros((), requires_grad=True)
    weighting(losses_of(values, parameter)).backward()
    weighting.step()
    assert parameter.grad is not None
    return parameter.grad.item()


def weights(weighting: Weighting) -> list[float]:
    return [value.item() for name, value in weighting.report().items() if name.startswith("weight/")]


def test_fixed_weights_are_equal_or_as_given() -> None:
    parameter = torch.zeros((), requires_grad=True)
    assert FixedWeighting(TASKS)(losses_of([1, 2, 3], parameter)).item() == 6
    weighting = FixedWeighting(TASKS, weights={"edge": 3, "depth": 0.5, "seg": 0})
    assert weighting(losses_of([1, 2, 3], parameter)).item() == 10
    assert weights(weighting) == [0, 0.5, 3]
    assert train(weighting, [1, 2, 3]) == 0.5 * 2 + 3 * 3


def test_the_geometric_mean_and_its_gradient() -> None:
    parameter = torch.zeros((), requires_grad=True)
    losses = losses_of([1.0, 8.0, 27.0], parameter)
    total = GeometricMean(TASKS)(losses)
    expected = torch.stack(list(losses.values())).log().mean().exp()
    assert_close(total, expected)
    assert_close(torch.autograd.grad(total, parameter, retain_graph=True), torch.autograd.grad(expected, parameter))
    of_two = GeometricMean(TASKS)({"seg": torch.tensor(2.0), "edge": torch.tensor(8.0)})
    assert of_two.item() == pytest.approx(4)


def test_dynamic_weight_average_by_hand() -> None:
    """Two epochs of two steps; the second halves the first loss and leaves the second as it is."""
    weighting = DynamicWeightAverage(("a", "b"), temperature=2)
    for epoch, values in enumerate(([3.0, 1.0], [1.5, 1.0], [1.0, 1.0])):
        for offset in -0.5, 0.5:
            total = weighting({"a": torch.tensor(values[0] + offset, requires_grad=True), "b": torch.tensor(values[1])})
            if epoch < 2:
                assert weights(weighting) == [1, 1]
            total.backward()
            weighting.step()
        weighting.end_epoch()
        if epoch == 1:
            shares = [math.exp(0.5 / 2), math.exp(1 / 2)]
            expected = [2 * share / sum(shares) for share in shares]
    weighting = resumed(weighting)
    assert expected[0] < 1 < expected[1]
    rates = [1.0 / 1.5, 1.0]
    shares = [math.exp(rate / 2) for rate in rates]
    weighting({"a": torch.tensor(1.0), "b": torch.tensor(1.0)})
    assert weights(weighting) == pytest.approx([2 * share / sum(shares) for share in shares])


def resumed(weighting: Weighting) -> Weighting:
    other = DynamicWeightAverage(weighting.tasks)
    other.load_state_dict(weighting.state_dict())
    return other


@pytest.mark.parametrize(
    ("likelihood", "scale", "slope", "optimum"),
    [("gaussian", 0.5, 0.5, 0.5), ("laplace", 1, 1, 1), ("categorical", 1, 0.5, 0.5)],
)
@pytest.mark.parametrize("positive", [False, True])
def test_uncertainty_is_what_autograd_and_adam_make_of_its_formula(
    likelihood: Any, scale: float, slope: float, optimum: float, positive: bool
) -> None:
    weighting = UncertaintyWeighting({"a": likelihood}, lr=0.1, initial=0.25, positive=positive).double()
    s = torch.tensor(0.25, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([s], lr=0.1)
    for value in 4.0, 3.0, 0.5, 0.1:
        loss = torch.tensor(value, dtype=torch.float64, requires_grad=True)
        total = weighting({"a": loss})
        expected = scale * torch.exp(-s) * value + (torch.log1p(torch.exp(s)) if positive else slope * s)
        assert_close(total.detach(), expected.detach())
        total.backward()
        assert loss.grad is not None
        assert_close(loss.grad, scale * torch.exp(-s.detach()))
        adam.zero_grad()
        expected.backward()
        adam.step()
        weighting.step()
        assert_close(weighting.report()["log_variance/a"], s.detach(), rtol=1e-9, atol=1e-12)
    if not positive:
        for _ in range(2000):
            weighting({"a": torch.tensor(4.0, dtype=torch.float64, requires_grad=True)}).backward()
            weighting.step()
        weighting({"a": torch.tensor(4.0)})
        assert weights(weighting) == pytest.approx([optimum / 4], rel=1e-3)


def test_log_variances_stay_within_their_limit_and_come_back() -> None:
    weighting = UncertaintyWeighting({"a": "laplace"}, lr=1, limit=2)
    for value, expected in ((0.0, -2), (1e6, 2)):
        for _ in range(60):
            weighting({"a": torch.tensor(value, requires_grad=True)}).backward()
            weighting.step()
        assert weighting.report()["log_variance/a"] == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_teaches_uncertainty_nothing(value: float) -> None:
    """Neither its log variance nor the moments of its Adam, which would stay NaN for ever."""
    weighting, other = UncertaintyWeighting(LIKELIHOODS), UncertaintyWeighting(LIKELIHOODS)
    train(weighting, [2.0, value, 4.0])
    assert all(state.isfinite().all() for state in weighting.state_dict().values())
    assert weighting.log_variances[1] == 0
    assert (weighting.log_variances[[0, 2]] != 0).all()
    for each in weighting, other:
        train(each, [2.0, 3.0, 4.0])
    assert weighting.log_variances[1] == other.log_variances[1]


@pytest.mark.parametrize("absent", ["missing", "none"])
def test_an_absent_task_keeps_what_is_remembered_of_it(absent: str) -> None:
    for weighting in UncertaintyWeighting(LIKELIHOODS), DynamicWeightAverage(TASKS):
        train(weighting, [1.0, 2.0, 3.0])
        before = {name: value.clone() for name, value in weighting.state_dict().items()}
        for _ in range(3):
            parameter = torch.zeros((), requires_grad=True)
            losses: dict[str, Tensor | None] = dict(losses_of([4.0, 5.0], parameter))
            if absent == "none":
                losses["edge"] = None
            weighting(losses).backward()
            weighting.step()
        for name, value in weighting.state_dict().items():
            if value.dim():
                assert torch.equal(value[2], before[name][2]) or (value[2].isnan() and before[name][2].isnan()), name
        assert any(not torch.equal(value[:2], before[name][:2]) for name, value in weighting.state_dict().items())


def test_several_backward_passes_count_as_one_of_their_mean() -> None:
    one, two = (UncertaintyWeighting(LIKELIHOODS) for _ in range(2))
    train(one, [2.0, 3.0, 4.0])
    for values in [1.0, 3.0, 2.0], [3.0, 3.0, 6.0]:
        two(losses_of(values, torch.zeros((), requires_grad=True))).backward()
    two.step()
    for name, value in one.state_dict().items():
        assert_close(two.state_dict()[name], value)


@pytest.mark.parametrize("weighting", every_weighting(), ids=lambda weighting: type(weighting).__name__)
def test_what_is_only_looked_at_leaves_no_trace(weighting: Weighting) -> None:
    before = {name: value.clone() for name, value in weighting.state_dict().items()}
    parameter = torch.zeros((), requires_grad=True)
    weighting(losses_of([1.0, 2.0, 3.0], parameter))  # no backward
    with torch.no_grad():
        weighting(losses_of([1.0, 2.0, 3.0], parameter))
    if not isinstance(weighting, GradNorm):
        weighting.step()
    for name, value in weighting.state_dict().items():
        assert_close(value, before[name], equal_nan=True)


@pytest.mark.parametrize("weighting", every_weighting(), ids=lambda weighting: type(weighting).__name__)
def test_conventions_of_all_weightings(weighting: Weighting) -> None:
    parameter = torch.zeros((), requires_grad=True)
    assert list(weighting.parameters()) == []
    weighting.bfloat16()
    assert all(value.dtype == torch.float32 for value in weighting.state_dict().values())
    half = {task: loss.bfloat16() for task, loss in losses_of([1.0, 2.0, 3.0], parameter).items()}
    assert weighting(half).dtype == torch.float32
    assert set(weighting.report()) >= {f"weight/{task}" for task in TASKS}
    assert all(not value.requires_grad for value in weighting.report().values())
    assert weighting({}).item() == 0
    features = torch.randn(2, 3)
    views = weighting.eval().branch(features, nn.Parameter(features))
    assert all(views[task] is features for task in TASKS)
    with pytest.raises(ValueError, match="losses must be of the tasks seg, depth, edge; got normals"):
        weighting({"normals": parameter})
    with pytest.raises(ValueError, match=r"the loss of seg must be a scalar; got the shape \(2,\)"):
        weighting({"seg": torch.zeros(2)})


def test_a_default_dtype_of_half_precision_leaves_the_digits_alone() -> None:
    """Trainers set it where the whole model is in half precision, while modules are built and while they run."""
    torch.set_default_dtype(torch.bfloat16)
    try:
        weighting = FixedWeighting(["a"], weights={"a": 0.1})
        kept = [value for each in every_weighting() for value in each.state_dict().values()]
        total = weighting({"a": torch.ones((), dtype=torch.bfloat16)})
    finally:
        torch.set_default_dtype(torch.float32)
    assert_close(total, torch.tensor(0.1))
    assert {value.dtype for value in kept} == {torch.float32}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedWeighting([]), "tasks must be one or more different names; got none"),
        (lambda: FixedWeighting(["a", "a"]), "tasks must be one or more different names; got a, a"),
        (lambda: FixedWeighting(["a"], weights={"b": 1}), "weights must have a value for each of a; got b"),
        (lambda: FixedWeighting(["a"], weights={"a": -1}), "weights must be a finite number at least 0; got -1"),
        (lambda: UncertaintyWeighting({"a": "poisson"}), "likelihood must be one of gaussian, laplace, categorical"),  # type: ignore[dict-item]
        (lambda: UncertaintyWeighting({"a": "laplace"}, lr=0), "lr must"),
        (lambda: UncertaintyWeighting({"a": "laplace"}, initial=11), "initial must"),
        (lambda: DynamicWeightAverage(["a"], temperature=0), "temperature must"),
        (lambda: GradNorm(["a"], alpha=-1), "alpha must"),
        (lambda: GradNorm(["a"], optimizer="lion"), "optimizer must be one of adam, sgd; got 'lion'"),  # type: ignore[arg-type]
        (lambda: GradNorm(["a"], initial_losses={"a": 0}), "initial_losses must be a finite number above 0; got 0"),
        (lambda: GradNorm(["a"], smallest=0), "smallest must"),
    ],
)
def test_bad_options_are_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
