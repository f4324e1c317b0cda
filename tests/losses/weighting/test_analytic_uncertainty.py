import numpy as np
import pytest
import torch

from losses import AnalyticUncertainty
from tests.losses.weighting.steps import TASKS, losses_of, train, weights


def by_formula(losses: list[float], temperature: float) -> np.ndarray:
    precisions = 1 / (temperature * np.array(losses))
    shares = np.exp(precisions - precisions.max())
    return shares / shares.sum()


@pytest.mark.parametrize("temperature", [0.2, 1.0, 20.0])
def test_weights_are_the_softmax_of_inverse_losses(temperature: float) -> None:
    weighting, values = AnalyticUncertainty(TASKS, temperature=temperature).double(), [0.5, 2.0, 3.0]
    expected = by_formula(values, temperature)
    # The gradients of the losses are 1, 2 and 3: nothing flows through the weights.
    assert train(weighting, values) == pytest.approx(expected @ [1, 2, 3], rel=1e-6)
    assert weights(weighting) == pytest.approx(expected, rel=1e-12)
    assert expected[0] > expected[1] > expected[2]


def test_rescaled_losses_need_a_rescaled_temperature() -> None:
    one, other = AnalyticUncertainty(TASKS, temperature=3.0), AnalyticUncertainty(TASKS, temperature=0.3)
    train(one, [0.5, 2.0, 3.0])
    train(other, [5.0, 20.0, 30.0])
    assert weights(other) == pytest.approx(weights(one), rel=1e-6)


def test_absent_tasks_take_no_share() -> None:
    weighting = AnalyticUncertainty(TASKS)
    weighting(losses_of([0.5, 2.0], torch.zeros((), requires_grad=True)))
    assert weights(weighting) == pytest.approx(by_formula([0.5, 2.0], 1.0), rel=1e-6)


@pytest.mark.parametrize("value", [0.0, 1e-30, -1.0])
def test_a_loss_of_zero_takes_all(value: float) -> None:
    weighting = AnalyticUncertainty(TASKS)
    assert train(weighting, [2.0, value, 3.0]) == 2
    assert weights(weighting) == [0, 1, 0]
