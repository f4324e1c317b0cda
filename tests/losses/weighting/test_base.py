from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from losses import (
    DynamicWeightAverage,
    FixedWeighting,
    GradNorm,
    UncertaintyWeighting,
    Weighting,
)
from tests.losses.weighting.steps import LIKELIHOODS, TASKS, every_weighting, losses_of, train


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
        (lambda: UncertaintyWeighting(["a", "a"]), "tasks must be one or more different names; got a, a"),
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


@pytest.mark.parametrize("make", [FixedWeighting, GradNorm, UncertaintyWeighting])
def test_a_string_is_not_the_names_of_its_letters(make: Any) -> None:
    with pytest.raises(TypeError, match=r"tasks must be several names, as in \['abc'\]; got the string 'abc'"):
        make("abc")


@pytest.mark.parametrize("weighting", every_weighting(), ids=lambda weighting: type(weighting).__name__)
def test_losses_and_features_are_tensors(weighting: Weighting) -> None:
    with pytest.raises(TypeError, match="the loss of seg must be a tensor; got float"):
        weighting({"seg": 1.0})
    for features in {"p3": torch.zeros(2)}, [], [torch.zeros(2), None]:
        with pytest.raises(TypeError, match="features must be a tensor, or a tuple or list of tensors; got "):
            weighting.eval().branch(features, nn.Parameter(torch.zeros(2)))


@pytest.mark.parametrize("weighting", every_weighting(), ids=lambda weighting: type(weighting).__name__)
@pytest.mark.parametrize("kind", [tuple, list])
def test_several_features_are_branched_alike(weighting: Weighting, kind: Any) -> None:
    weight = nn.Parameter(torch.ones(2))
    features = kind([weight * 2, weight * 3])
    views = weighting.branch(features, weight)
    assert views.keys() == set(TASKS)
    for view in views.values():
        assert type(view) is kind
        assert_close(list(view), list(features))


def test_a_step_that_is_forgotten_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("losses.weighting.base.MANY_PASSES", 3)
    parameter = torch.zeros((), requires_grad=True)
    weighting, fixed = UncertaintyWeighting(TASKS), FixedWeighting(TASKS)
    with pytest.warns(UserWarning, match=r"UncertaintyWeighting: 3 backward passes without a step\(\)") as told:
        for _ in range(7):
            weighting(losses_of([1.0, 2.0, 3.0], parameter)).backward()
            fixed(losses_of([1.0, 2.0, 3.0], parameter)).backward()  # has nothing to learn
    assert len(told) == 1
