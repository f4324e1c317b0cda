import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from losses import (
    asymmetric_mse_loss,
    gaussian_nll_loss,
    huber_loss,
    l1_loss,
    log_cosh_loss,
    mse_loss,
    rmse_loss,
    smooth_l1_loss,
)

INPUT, TARGET = torch.tensor([2.5, 0.0, 2.0, 8.0]), torch.tensor([3.0, -0.5, 2.0, 5.0])  # errors -0.5, 0.5, 0, 3
ELEMENTWISE = [mse_loss, l1_loss, rmse_loss, huber_loss, smooth_l1_loss, log_cosh_loss, asymmetric_mse_loss]
errors = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("loss", "value"),
    [
        (mse_loss, (0.25 + 0.25 + 9) / 4),
        (l1_loss, 1.0),
        (rmse_loss, math.sqrt(9.5 / 4)),
        (huber_loss, (0.125 + 0.125 + 2.5) / 4),
        (smooth_l1_loss, (0.125 + 0.125 + 2.5) / 4),
        (log_cosh_loss, (2 * math.log(math.cosh(0.5)) + math.log(math.cosh(3))) / 4),
        (asymmetric_mse_loss, (0.25 + 2 * 0.25 + 2 * 9) / 4),
    ],
)
def test_values_by_hand(loss: Callable[..., Tensor], value: float) -> None:
    assert loss(INPUT, TARGET).item() == pytest.approx(value)


@pytest.mark.parametrize("loss", ELEMENTWISE)
def test_unknown_elements_do_not_count_whatever_they_hold(loss: Callable[..., Tensor]) -> None:
    mask = torch.tensor([True, False, True, True, False])
    input = torch.cat([INPUT, torch.zeros(1)]).requires_grad_()
    target = torch.cat([TARGET, torch.tensor([float("inf")])])
    target[1] = float("nan")
    value = loss(input, target, mask=mask)
    assert_close(value, loss(INPUT[[0, 2, 3]], TARGET[[0, 2, 3]]))
    value.backward()
    assert input.grad is not None
    assert input.grad.isfinite().all()
    assert (input.grad[~mask] == 0).all()


@pytest.mark.parametrize("loss", ELEMENTWISE)
def test_a_mask_of_another_shape_is_refused(loss: Callable[..., Tensor]) -> None:
    with pytest.raises(
        ValueError, match=r"mask must have the shape of input, \(4,\), or one channel for all; got \(4, 1\)"
    ):
        loss(INPUT, TARGET, mask=torch.ones(4, 1, dtype=torch.bool))


@given(errors, st.floats(0.01, 100))
def test_huber_is_delta_times_smooth_l1(error: float, delta: float) -> None:
    x, y = torch.tensor([error], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    assert_close(huber_loss(x, y, delta=delta), delta * smooth_l1_loss(x, y, beta=delta))


def test_rmse_has_no_nan_where_the_fit_is_perfect() -> None:
    x = TARGET.clone().requires_grad_()
    value = rmse_loss(x, TARGET)
    value.backward()
    assert value == 0
    assert x.grad is not None
    assert (x.grad == 0).all()


def test_rmse_takes_the_root_last() -> None:
    assert_close(rmse_loss(INPUT, TARGET, reduction="sum"), torch.tensor(9.5).sqrt())
    assert_close(rmse_loss(INPUT, TARGET, reduction="none"), (INPUT - TARGET).abs())


@given(st.floats(-30, 30))
def test_log_cosh_keeps_its_digits_near_zero_and_far_away(exponent: float) -> None:
    """Against the same in float64, whose range and digits are enough for a plain formula on each side."""
    error = math.copysign(10 ** abs(exponent) if exponent > 0 else 10**exponent, 1)
    x = torch.tensor([error], dtype=torch.float32)
    e = abs(x.double().item())
    expected = e * e / 2 - e**4 / 12 if e < 1e-2 else e + math.log1p(math.exp(-2 * e)) - math.log(2)
    if expected < 1e-37:
        return  # below float32
    assert log_cosh_loss(x, torch.zeros(1)).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("error", [0.0, 1e-6, 1e-3, 0.5, 2.0, 50.0])
def test_log_cosh_is_twice_differentiable_everywhere(error: float) -> None:
    x = torch.tensor([error], requires_grad=True)
    (slope,) = torch.autograd.grad(log_cosh_loss(x, torch.zeros(1)), x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, x)
    assert slope.item() == pytest.approx(math.tanh(error), rel=1e-5)
    assert curvature.item() == pytest.approx(1 / math.cosh(error) ** 2, rel=1e-4, abs=1e-12)


@given(errors, st.floats(0, 10), st.floats(0, 10))
def test_asymmetric_mse_charges_each_side_its_price(error: float, over: float, under: float) -> None:
    x, y = torch.tensor([error], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    price = over if error > 0 else under
    value = asymmetric_mse_loss(x, y, over_penalty=over, under_penalty=under)
    assert value.item() == pytest.approx(price * error**2)


def test_asymmetric_mse_is_the_expectile_loss() -> None:
    """Its best constant is the expectile: the 4/5-expectile of 0 and 1, 4 (1 - m) = m, is 4/5."""
    y, m = torch.tensor([0.0, 1.0]), torch.tensor([0.8, 0.8], requires_grad=True)
    asymmetric_mse_loss(m, y, over_penalty=1, under_penalty=4).backward()
    assert m.grad is not None
    assert m.grad.sum().item() == pytest.approx(0, abs=1e-6)


def test_gaussian_nll_by_hand() -> None:
    value = gaussian_nll_loss(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([4.0]))
    assert value.item() == pytest.approx(0.5 * (math.log(4) + 1))
    full = gaussian_nll_loss(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([4.0]), full=True)
    assert (full - value).item() == pytest.approx(0.5 * math.log(2 * math.pi))


def test_gaussian_nll_lets_a_variance_of_zero_grow_again() -> None:
    var = torch.zeros(1, requires_grad=True)
    gaussian_nll_loss(torch.ones(1), torch.zeros(1), var).backward()
    assert var.grad is not None
    assert var.grad < 0


def test_gaussian_nll_refuses_negative_variances_unless_told_not_to_look() -> None:
    x, y, var = torch.zeros(2), torch.zeros(2), torch.tensor([1.0, -0.5])
    with pytest.raises(ValueError, match=r"var must be >= 0, a variance; got -0\.5"):
        gaussian_nll_loss(x, y, var)
    assert gaussian_nll_loss(x, y, var, validate=False).isfinite()
    mask = torch.tensor([True, False])
    assert_close(gaussian_nll_loss(x, y, var, mask=mask), torch.tensor(0.0))
