import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from losses import FocalFrequencyLoss, focal_frequency_loss, mse_loss


def pair(seed: int, *shape: int) -> tuple[Tensor, Tensor]:
    x, y = torch.randn(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return x, y


def by_definition(x: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """As the paper's code, spectrum by spectrum, each computed as a product with the matrices of the transform."""
    height, width = x.shape[2:]
    rows, columns = (np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n) / n**0.5 for n in (height, width))
    difference = rows @ x @ columns - rows @ y @ columns
    weight = np.abs(difference) ** alpha
    weight = weight / weight.max((2, 3), keepdims=True)
    return (weight * np.abs(difference) ** 2).mean((1, 2, 3))


@given(st.integers(0, 100), st.integers(1, 6), st.integers(1, 6), st.sampled_from([0.5, 1.0, 2.0]))
def test_by_definition(seed: int, height: int, width: int, alpha: float) -> None:
    x, y = pair(seed, 2, 3, height, width)
    loss = focal_frequency_loss(x, y, alpha=alpha, reduction="none")
    assert_close(loss, torch.from_numpy(by_definition(x.numpy(), y.numpy(), alpha)))


@given(st.integers(0, 100))
def test_the_mean_squared_error_is_its_upper_bound_and_its_case_of_alpha_0(seed: int) -> None:
    """Parseval: a transform of norm ortho keeps the sum of squares, and no weight is above 1."""
    x, y = pair(seed, 2, 3, 5, 4)
    assert_close(focal_frequency_loss(x, y, alpha=0.0), mse_loss(x, y))
    assert 0 < focal_frequency_loss(x, y, alpha=2.0) < focal_frequency_loss(x, y) < mse_loss(x, y)


def test_two_waves_by_hand() -> None:
    """Of amplitude 2 and 1: squares 4 and 1 of the mean, of weight 1 and 1/2."""
    coarse, fine = torch.ones(4, 8), torch.tensor([1.0, -1.0]).repeat(4, 4)
    waves = (2 * coarse + fine).view(1, 1, 4, 8)
    assert_close(FocalFrequencyLoss()(waves, torch.zeros(1, 1, 4, 8)), torch.tensor(4 + 0.5))
    assert_close(FocalFrequencyLoss(alpha=2)(waves, torch.zeros(1, 1, 4, 8)), torch.tensor(4 + 0.25))


def test_each_channel_has_weights_of_its_own() -> None:
    x, _ = pair(0, 1, 2, 4, 4)
    x[:, 1] *= 1e-3
    each = [focal_frequency_loss(x[:, [c]], torch.zeros_like(x[:, [c]])) for c in range(2)]
    assert_close(focal_frequency_loss(x, torch.zeros_like(x)), (each[0] + each[1]) / 2)
    assert_close(each[1], focal_frequency_loss(1e3 * x[:, [1]], torch.zeros_like(x[:, [1]])) / 1e6)


def test_the_weights_take_no_gradient() -> None:
    """The gradient is that of a mean of squares under weights that stay as they are."""
    x, y = pair(0, 1, 1, 4, 4)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(focal_frequency_loss(x, y), x)
    spectrum = torch.fft.fft2((x - y).detach(), norm="ortho")
    weight = spectrum.abs() / spectrum.abs().max()
    assert_close(gradient, 2 / 16 * torch.fft.ifft2(weight * spectrum, norm="ortho").real)


def test_a_perfect_fit_costs_nothing_without_a_nan() -> None:
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    loss = focal_frequency_loss(x, x.detach())
    loss.backward()
    assert loss == 0
    assert x.grad is not None
    assert (x.grad == 0).all()


def test_unknown_pixels_have_no_error_and_pictures_without_a_known_one_do_not_count() -> None:
    x, y = pair(0, 2, 1, 4, 4)
    mask = torch.ones_like(y, dtype=torch.bool)
    mask[0, 0, 0, :2], mask[1] = False, False
    filled = torch.where(mask, y, x)
    y[~mask] = torch.nan
    assert_close(focal_frequency_loss(x, y, mask=mask), focal_frequency_loss(x[:1], filled[:1]))


def test_only_pictures_have_frequencies() -> None:
    with pytest.raises(ValueError, match=r"input must have the shape N x C x H x W; got \(4, 4\)"):
        focal_frequency_loss(torch.zeros(4, 4), torch.zeros(4, 4))
