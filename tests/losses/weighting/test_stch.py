import copy

import numpy as np
import pytest
import torch

from losses import STCH
from tests.losses.weighting.steps import TASKS, losses_of, train, weights


def by_formula(values: np.ndarray, mu: float, preferences: np.ndarray) -> tuple[float, np.ndarray]:
    """The scalarization, and its gradient by differences."""

    def total(y: np.ndarray) -> float:
        return float(mu * np.log(np.exp(preferences * y / mu).sum()))

    gradient = [(total(values + step) - total(values - step)) / 2e-6 for step in 1e-6 * np.eye(len(values))]
    return total(values), np.array(gradient)


def total_of(weighting: STCH, values: list[float]) -> float:
    return weighting(losses_of(values, torch.zeros((), dtype=torch.float64))).item()


@pytest.mark.parametrize("mu", [0.3, 1.0, 4.0])
def test_without_a_warm_up_it_is_the_papers_formula(mu: float) -> None:
    preferences, ideal = [0.2, 0.5, 0.3], [0.1, 0.0, 1.0]
    weighting = STCH(
        TASKS,
        mu=mu,
        warmup_epochs=0,
        weights=dict(zip(TASKS, preferences, strict=True)),
        ideal=dict(zip(TASKS, ideal, strict=True)),
    ).double()
    values = [4.0, 2.0, 3.0]
    total, gradient = by_formula(np.array(values) - ideal, mu, np.array(preferences))
    assert total_of(weighting, values) == pytest.approx(total, rel=1e-6)
    assert weights(weighting) == pytest.approx(gradient, rel=1e-6)
    assert train(weighting, values) == pytest.approx(gradient @ [1, 2, 3], rel=1e-6)


def test_a_small_mu_takes_the_worst_and_large_exponents_do_not_overflow() -> None:
    weighting = STCH(TASKS, mu=1e-3, warmup_epochs=0).double()
    assert total_of(weighting, [10.0, 900.0, 30.0]) == pytest.approx(900)
    assert weights(weighting) == pytest.approx([0, 1, 0])


def test_the_warm_up_measures_what_losses_are_then_compared_with() -> None:
    """Two epochs of two steps; the second is measured. As in the authors' code, but for the factor T of the total."""
    weighting = STCH(TASKS, mu=0.5, warmup_epochs=2).double()
    for epoch in ([8.0, 90.0, 0.3], [7.0, 80.0, 0.2]), ([4.0, 60.0, 0.2], [2.0, 40.0, 0.1]):
        for values in epoch:
            assert total_of(weighting, values) == pytest.approx(np.log(values).mean(), rel=1e-6)
            assert train(weighting, values) == pytest.approx((1 / np.array(values)) @ [1, 2, 3] / 3, rel=1e-6)
        weighting.end_epoch()
    nadir = np.array([3.0, 50.0, 0.15])
    np.testing.assert_allclose(weighting.nadir.numpy(), nadir, rtol=1e-6)
    values = [1.5, 45.0, 0.14]
    progress = np.log(values / nadir)
    total, gradient = by_formula(progress, 0.5, np.ones(3))
    assert total_of(weighting, values) == pytest.approx(total, rel=1e-6)
    assert weights(weighting) == pytest.approx(gradient / values, rel=1e-6)
    assert total_of(weighting, values) == pytest.approx(0.5 * np.log(((values / nadir) ** 2).sum()), rel=1e-6)
    train(weighting, values)
    weighting.end_epoch()
    np.testing.assert_allclose(weighting.nadir.numpy(), nadir, rtol=1e-6)  # measured once


def warmed_up(nadir: list[float]) -> STCH:
    weighting = STCH(TASKS, warmup_epochs=1).double()
    train(weighting, nadir)
    weighting.end_epoch()
    return weighting


def test_the_scales_of_losses_do_not_count() -> None:
    one, other = warmed_up([3.0, 50.0, 0.15]), warmed_up([30.0, 0.5, 15.0])
    assert total_of(other, [15.0, 0.4, 10.0]) == pytest.approx(total_of(one, [1.5, 40.0, 0.1]), rel=1e-6)
    shares = np.array(weights(one)) * [1.5, 40.0, 0.1]
    np.testing.assert_allclose(np.array(weights(other)) * [15.0, 0.4, 10.0], shares, rtol=1e-6)
    assert shares.sum() == pytest.approx(1)
    assert shares.argmax() == 1  # it has come least far


def test_a_task_that_comes_after_the_warm_up_is_measured_then() -> None:
    weighting = STCH(TASKS, warmup_epochs=1).double()
    train(weighting, [3.0, 50.0])
    weighting.end_epoch()
    assert weighting.nadir.isnan().tolist() == [False, False, True]
    total_of(weighting, [3.0, 50.0, 0.2])  # as one that is where it was
    assert weights(weighting) == pytest.approx([1 / 3 / 3, 1 / 3 / 50, 1 / 3 / 0.2], rel=1e-6)
    train(weighting, [3.0, 50.0, 0.2])
    weighting.end_epoch()
    assert weighting.nadir.tolist() == pytest.approx([3, 50, 0.2], rel=1e-6)
    assert total_of(weighting, [3.0, 50.0]) == pytest.approx(np.log(2), rel=1e-6)  # of those that are there


def test_a_run_that_is_resumed_in_an_epoch_goes_on_with_the_same_weights() -> None:
    weighting, resumed = STCH(TASKS, warmup_epochs=2).double(), STCH(TASKS, warmup_epochs=2).double()
    train(weighting, [3.0, 50.0, 0.2])
    weighting.end_epoch()
    train(weighting, [2.0, 40.0, 0.2])
    resumed.load_state_dict(copy.deepcopy(weighting.state_dict()))
    for each in weighting, resumed:
        train(each, [1.0, 30.0, 0.2])
        each.end_epoch()
        train(each, [1.0, 30.0, 0.1])
    assert weights(resumed) == weights(weighting)
    assert weighting.nadir.tolist() == pytest.approx([1.5, 35, 0.2], rel=1e-6)


def test_losses_that_are_not_finite_are_not_what_others_are_compared_with() -> None:
    weighting = warmed_up([3.0, float("inf"), float("nan")])
    assert weighting.nadir.isnan().tolist() == [False, True, True]
    assert np.isfinite(total_of(weighting, [3.0, 50.0, 0.0]))
