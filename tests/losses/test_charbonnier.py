import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from losses import CharbonnierLoss, charbonnier_loss, l1_loss


def test_by_hand() -> None:
    """The triangle of 3, 4 and 5."""
    input, target = torch.tensor([1.0, 6.0, -3.0]), torch.tensor([1.0, 2.0, 1.0])
    each = charbonnier_loss(input, target, eps=3.0, reduction="none")
    assert_close(each, torch.tensor([3.0, 5.0, 5.0]))
    assert_close(CharbonnierLoss(eps=3.0)(input, target), torch.tensor(13 / 3))


@given(st.floats(-1e3, 1e3), st.floats(1e-6, 10))
def test_between_l1_and_l1_plus_eps_with_a_slope_below_1(error: float, eps: float) -> None:
    x, y = torch.tensor([error], dtype=torch.float64, requires_grad=True), torch.zeros(1, dtype=torch.float64)
    loss = charbonnier_loss(x, y, eps=eps)
    assert loss.item() == pytest.approx(math.sqrt(error**2 + eps**2), rel=1e-12)
    assert abs(error) <= loss <= abs(error) + eps
    (slope,) = torch.autograd.grad(loss, x)
    assert slope.item() == pytest.approx(error / math.hypot(error, eps), rel=1e-12)


def test_a_perfect_fit_costs_eps_and_pulls_nowhere() -> None:
    x = torch.ones(4, requires_grad=True)
    loss = charbonnier_loss(x, torch.ones(4))
    loss.backward()
    assert loss.item() == pytest.approx(1e-3)
    assert x.grad is not None
    assert (x.grad == 0).all()


@pytest.mark.parametrize(("error", "eps"), [(1e30, 1e-3), (1e-30, 1e-25)])
def test_errors_whose_squares_float32_does_not_have(error: float, eps: float) -> None:
    x = torch.tensor([error], requires_grad=True)
    loss = charbonnier_loss(x, torch.zeros(1), eps=eps)
    assert loss.item() == pytest.approx(math.hypot(error, eps))
    (slope,) = torch.autograd.grad(loss, x)
    assert slope.item() == pytest.approx(error / math.hypot(error, eps))


def test_unknown_elements_do_not_count() -> None:
    input, target = torch.tensor([1.0, 5.0, 2.0], requires_grad=True), torch.tensor([0.0, torch.nan, 0.0])
    loss = charbonnier_loss(input, target, mask=target.isfinite())
    assert_close(loss, l1_loss(torch.tensor([1.0, 2.0]), torch.zeros(2)), rtol=1e-6, atol=0)
    loss.backward()
    assert input.grad is not None
    assert input.grad.isfinite().all()
    assert input.grad[1] == 0
