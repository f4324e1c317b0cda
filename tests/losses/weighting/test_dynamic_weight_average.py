import math

import pytest
import torch

from losses import DynamicWeightAverage, Weighting
from tests.losses.weighting.steps import weights


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
