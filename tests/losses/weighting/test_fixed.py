import torch

from losses import FixedWeighting
from tests.losses.weighting.steps import TASKS, losses_of, train, weights


def test_fixed_weights_are_equal_or_as_given() -> None:
    parameter = torch.zeros((), requires_grad=True)
    assert FixedWeighting(TASKS)(losses_of([1, 2, 3], parameter)).item() == 6
    weighting = FixedWeighting(TASKS, weights={"edge": 3, "depth": 0.5, "seg": 0})
    assert weighting(losses_of([1, 2, 3], parameter)).item() == 10
    assert weights(weighting) == [0, 0.5, 3]
    assert train(weighting, [1, 2, 3]) == 0.5 * 2 + 3 * 3
