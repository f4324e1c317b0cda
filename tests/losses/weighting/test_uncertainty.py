import math
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from losses import UncertaintyWeighting
from tests.losses.weighting.steps import LIKELIHOODS, TASKS, train, weights


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


def test_names_alone_are_gaussian() -> None:
    names, mapping = UncertaintyWeighting(iter(TASKS)), UncertaintyWeighting(dict.fromkeys(TASKS, "gaussian"))
    for weighting in names, mapping:
        train(weighting, [1.0, 2.0, 3.0])
    assert torch.equal(names.log_variances, mapping.log_variances)
    assert weights(names) == [0.5, 0.5, 0.5]


def test_each_task_may_start_at_its_own_log_variance() -> None:
    weighting = UncertaintyWeighting({"seg": "categorical", "depth": "laplace"}, initial={"depth": 1.0, "seg": -2.0})
    assert weighting.log_variances.tolist() == [-2, 1]
    weighting({task: torch.tensor(1.0, requires_grad=True) for task in weighting.tasks}).backward()
    assert weights(weighting) == pytest.approx([math.exp(2), math.exp(-1)])


@pytest.mark.parametrize(
    "initial", [{"seg": 1.0}, {"seg": 1.0, "depth": 0.0, "boxes": 0.0}, {"seg": 0.0, "depth": 11.0}, -11.0]
)
def test_starts_of_other_tasks_or_beyond_the_limit_are_refused(initial: float | dict[str, float]) -> None:
    with pytest.raises(ValueError, match="initial must"):
        UncertaintyWeighting(["seg", "depth"], initial=initial)
