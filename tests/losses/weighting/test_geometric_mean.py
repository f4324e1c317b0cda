import pytest
import torch
from torch.testing import assert_close

from losses import GeometricMean
from tests.losses.weighting.steps import TASKS, losses_of


def test_the_geometric_mean_and_its_gradient() -> None:
    parameter = torch.zeros((), requires_grad=True)
    losses = losses_of([1.0, 8.0, 27.0], parameter)
    total = GeometricMean(TASKS)(losses)
    expected = torch.stack(list(losses.values())).log().mean().exp()
    assert_close(total, expected)
    assert_close(torch.autograd.grad(total, parameter, retain_graph=True), torch.autograd.grad(expected, parameter))
    of_two = GeometricMean(TASKS)({"seg": torch.tensor(2.0), "edge": torch.tensor(8.0)})
    assert of_two.item() == pytest.approx(4)


def test_a_loss_of_zero_is_refused_by_name() -> None:
    losses = {"seg": torch.tensor(2.0), "depth": torch.tensor(0.0), "edge": torch.tensor(-1.0)}
    with pytest.raises(ValueError, match=r"GeometricMean needs losses above 0, .* got depth 0, edge -1"):
        GeometricMean(TASKS)(losses)
    assert GeometricMean(TASKS, validate=False)(losses).isnan()
