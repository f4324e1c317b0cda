"""Regression losses against torch, torchmetrics, numpy and scipy."""

from typing import Any

import kornia.losses
import numpy as np
import pytest
import scipy.stats
import torch
import torchmetrics.functional
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

import losses
from tests.losses.peers.agreement import Loss, assert_agree, trained

every_reduction = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])


@every_reduction
@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (losses.mse_loss, F.mse_loss, {}),
        (losses.l1_loss, F.l1_loss, {}),
        (losses.huber_loss, F.huber_loss, {"delta": 0.7}),
        (losses.smooth_l1_loss, F.smooth_l1_loss, {"beta": 0.7}),
        (losses.smooth_l1_loss, F.smooth_l1_loss, {"beta": 0.0}),
    ],
)
def test_torch(ours: Loss, theirs: Loss, options: dict[str, Any], reduction: str) -> None:
    input, target = trained(4, 3), trained(4, 3)
    options = {**options, "reduction": reduction}
    assert_agree(lambda x, y: ours(x, y, **options), lambda x, y: theirs(x, y, **options), input, target)

    mask = torch.tensor([[True, True, False]]).expand(4, 3)
    known = input.detach()[mask], target.detach()[mask]
    masked = ours(input, target, mask=mask, **options)
    assert_close(masked[mask] if reduction == "none" else masked, theirs(*known, **options))


@every_reduction
@pytest.mark.parametrize("full", [False, True])
def test_gaussian_nll_of_torch(full: bool, reduction: str) -> None:
    """Also for variances below eps, whose gradient is that of a variance of eps in both."""
    variance = (8 * torch.randn(4, 3, dtype=torch.float64)).exp().requires_grad_()
    assert variance.min() < 1e-3 < variance.max()
    options = {"full": full, "eps": 1e-3, "reduction": reduction}
    assert_agree(
        lambda *inputs: losses.gaussian_nll_loss(*inputs, **options),
        lambda *inputs: F.gaussian_nll_loss(*inputs, **options),
        trained(4, 3),
        trained(4, 3),
        variance,
    )


def test_rmse_of_torchmetrics() -> None:
    """A metric per batch, as ours; sqrt(mse) has the gradient NaN at a perfect fit, ours 0."""

    def theirs(input: Tensor, target: Tensor) -> Tensor:
        return torchmetrics.functional.mean_squared_error(input, target, squared=False)

    assert_agree(losses.rmse_loss, theirs, trained(12), torch.randn(12, dtype=torch.float64))
    exact = torch.ones(3, requires_grad=True)
    (gradient,) = torch.autograd.grad(theirs(exact, torch.ones(3)), exact)
    assert gradient.isnan().all()
    (gradient,) = torch.autograd.grad(losses.rmse_loss(exact, torch.ones(3)), exact)
    assert (gradient == 0).all()


@every_reduction
def test_charbonnier_of_kornia(reduction: str) -> None:
    """There eps is 1, and a perfect fit costs nothing."""
    count = {"none": 1.0, "mean": 1.0, "sum": 12.0}[reduction]
    assert_agree(
        lambda x, y: losses.charbonnier_loss(x, y, eps=1.0, reduction=reduction) - count,
        lambda x, y: kornia.losses.charbonnier_loss(x, y, reduction=reduction),
        trained(4, 3),
        trained(4, 3),
    )


@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0, 1e5])
def test_log_cosh_of_numpy(size: float) -> None:
    """log cosh e = log((exp e + exp -e) / 2), of which numpy loses the digits of small errors and we do not."""
    error = size * np.random.default_rng(0).standard_normal(50)
    ours = losses.log_cosh_loss(torch.from_numpy(error), torch.zeros(50, dtype=torch.float64), reduction="none")
    np.testing.assert_allclose(ours, np.logaddexp(error, -error) - np.log(2), rtol=1e-12, atol=2e-16)


def test_asymmetric_mse_has_its_minimum_at_the_expectile_of_scipy() -> None:
    target = torch.randn(50, dtype=torch.float64)
    best = scipy.stats.expectile(target.numpy(), alpha=0.5 / (0.5 + 3.0))
    input = torch.full((50,), best, dtype=torch.float64, requires_grad=True)
    losses.asymmetric_mse_loss(input, target, over_penalty=3.0, under_penalty=0.5).backward()
    assert input.grad is not None
    assert input.grad.sum().abs() < 1e-12
