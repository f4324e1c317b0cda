import numpy as np
import pytest
import torch
from torch.testing import assert_close

from losses import IMTLL, UncertaintyWeighting
from tests.losses.weighting.steps import TASKS, train, weights


def replay(steps: list[list[float]], lr: float) -> np.ndarray:
    """Adam on sum_i e^(s_i) L_i - s_i, in NumPy; gives the scales after each step."""
    s, m, v, history = np.zeros(3), np.zeros(3), np.zeros(3), []
    for number, losses in enumerate(steps, 1):
        gradient = np.exp(s) * losses - 1
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        s = s - lr * (m / (1 - 0.9**number)) / (np.sqrt(v / (1 - 0.999**number)) + 1e-8)
        history.append(s)
    return np.array(history)


def test_scales_are_what_adam_makes_of_the_formula() -> None:
    weighting = IMTLL(TASKS, lr=0.1).double()
    steps = [[4.0, 0.1, 1.0], [3.0, 0.2, 1.5], [0.5, 0.3, 0.9]]
    scales = np.zeros(3)
    for losses, expected in zip(steps, replay(steps, 0.1), strict=True):
        total = weighting({task: torch.tensor(loss) for task, loss in zip(TASKS, losses, strict=True)})
        assert total.item() == pytest.approx((np.exp(scales) * losses - scales).sum(), rel=1e-6)
        assert train(weighting, losses) == pytest.approx(np.exp(scales) @ [1, 2, 3], rel=1e-6)
        np.testing.assert_allclose(weighting.scales.numpy(), expected, rtol=1e-6)
        scales = expected


def test_weighted_losses_become_one_whatever_their_scales() -> None:
    weighting, values = IMTLL(TASKS, lr=0.05), [0.02, 1.0, 50.0]
    for _ in range(2000):
        train(weighting, values)
    train(weighting, values)
    assert weights(weighting) == pytest.approx([50, 1, 0.02], rel=1e-3)


def test_it_is_the_laplace_form_of_uncertainty_weighting() -> None:
    weighting, other = IMTLL(TASKS), UncertaintyWeighting(dict.fromkeys(TASKS, "laplace"))
    for values in [4.0, 0.1, 1.0], [3.0, 0.2, 1.5], [0.5, 0.3, 0.9]:
        train(weighting, values)
        train(other, values)
    assert_close(weighting.scales, -other.log_variances)


def test_scales_stay_within_their_limit_and_a_loss_that_is_not_finite_teaches_nothing() -> None:
    weighting = IMTLL(TASKS, lr=1, limit=2)
    for _ in range(60):
        train(weighting, [0.0, 1e6, float("nan")])
    assert weighting.scales.tolist() == [2, -2, 0]
    assert weighting.adam.steps.tolist() == [60, 60, 0]
