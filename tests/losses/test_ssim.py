import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from losses import MSSSIMLoss, SSIMLoss, ms_ssim_loss, ssim_loss
from losses.ssim import SCALE_WEIGHTS


def pair(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two pictures in [0, 1] that have something in common."""
    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.rand(2, *shape, dtype=torch.float64, generator=generator)
    return x, 0.7 * x + 0.3 * noise


def factors(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The factors of SSIM in every window of two pictures H x W in [0, 1], as Wang et al. 2004 write them."""
    offset = np.arange(11) - 5
    window = np.exp(-(offset[:, None] ** 2 + offset[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    x, y = (sliding_window_view(picture, (11, 11)) for picture in (x, y))
    mean_x, mean_y = ((window * each).sum((2, 3), keepdims=True) for each in (x, y))
    variance_x, variance_y = (window * (x - mean_x) ** 2).sum((2, 3)), (window * (y - mean_y) ** 2).sum((2, 3))
    covariance = (window * (x - mean_x) * (y - mean_y)).sum((2, 3))
    mean_x, mean_y = mean_x[..., 0, 0], mean_y[..., 0, 0]
    luminance = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    return luminance, (2 * covariance + 0.03**2) / (variance_x + variance_y + 0.03**2)


def test_ssim_by_definition() -> None:
    x, y = pair(2, 3, 13, 17)
    similarity = [[math.prod(factors(x[n, c].numpy(), y[n, c].numpy())).mean() for c in range(3)] for n in range(2)]
    expected = 1 - torch.tensor(similarity).mean(1)
    assert_close(ssim_loss(x, y, input_range=(0, 1), reduction="none"), expected, rtol=1e-12, atol=0)
    assert_close(SSIMLoss()(2 * x - 1, 2 * y - 1), expected.mean(), rtol=1e-12, atol=0)


def test_ms_ssim_by_definition() -> None:
    """At two scales, of pictures whose last row and column have no partners."""
    x, y = pair(1, 1, 23, 25)
    fine, coarse = ((picture[0, 0].numpy(), halved(picture[0, 0].numpy())) for picture in (x, y))
    _, structure = factors(fine[0], coarse[0])
    luminance, coarse_structure = factors(fine[1], coarse[1])
    expected = 1 - structure.mean() ** 0.3 * (luminance * coarse_structure).mean() ** 0.7
    loss = ms_ssim_loss(x, y, scale_weights=(0.3, 0.7), input_range=(0, 1))
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def halved(picture: np.ndarray) -> np.ndarray:
    height, width = (side // 2 for side in picture.shape)
    return picture[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))


def test_flat_pictures_by_hand() -> None:
    """Without variance the second factor is 1, which leaves (2ab + c) / (a^2 + b^2 + c), at the last scale."""
    x, y = torch.full((1, 1, 32, 32), 0.2), torch.full((1, 1, 32, 32), 0.6)
    luminance = (2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4)
    assert ssim_loss(x, y, input_range=(0, 1)).item() == pytest.approx(1 - luminance, rel=1e-5)
    scales = ms_ssim_loss(x, y, scale_weights=(0.6, 0.4), input_range=(0, 1))
    assert scales.item() == pytest.approx(1 - luminance**0.4, rel=1e-5)


def test_a_pixel_at_the_border_counts_in_fewer_windows() -> None:
    """A changed corner is in one window of the four, a pixel in the middle in all of them."""
    x, _ = pair(1, 1, 12, 12)
    corner, middle = x.clone(), x.clone()
    corner[..., 0, 0] += 0.5
    middle[..., 6, 6] += 0.5
    assert 0 < 100 * ssim_loss(corner, x, input_range=(0, 1)) < ssim_loss(middle, x, input_range=(0, 1))


@given(st.integers(0, 100), st.sampled_from([(0.0, 255.0), (-1.0, 1.0), (3.0, 5.0)]))
def test_symmetric_bounded_and_the_same_in_every_range(seed: int, input_range: tuple[float, float]) -> None:
    x, y = pair(2, 1, 22, 24, seed=seed)
    black, white = input_range
    for loss, options in (ssim_loss, {}), (ms_ssim_loss, {"scale_weights": (0.5, 0.5)}):
        value = loss(x, y, input_range=(0, 1), **options)
        assert 0 < value < 1
        assert_close(loss(y, x, input_range=(0, 1), **options), value)
        assert_close(loss(x.mT, y.mT, input_range=(0, 1), **options), value)
        scaled = (black + (white - black) * picture for picture in (x, y))
        assert_close(loss(*scaled, input_range=input_range, **options), value)
        assert loss(x, x, input_range=(0, 1), **options) == 0


@pytest.mark.parametrize("size", [1e-2, 1e-4])
def test_small_differences_keep_their_digits_in_float32(size: float) -> None:
    """In bright smooth pictures, where a variance of squares and one minus a similarity near 1 would lose them all."""
    x, y = pair(1, 1, 64, 64)
    x, y = (0.9 + 0.01 * x).float(), (0.9 + 0.01 * x + size * (y - x)).float()
    exact = ssim_loss(x.double(), y.double(), input_range=(0, 1))
    assert ssim_loss(x, y, input_range=(0, 1)).item() == pytest.approx(exact.item(), rel=1e-6)


def test_the_gradient_leads_to_the_target() -> None:
    x, y = (picture.float() for picture in pair(1, 3, 24, 24))
    x.requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.02)
    loss = SSIMLoss(input_range=(0, 1))
    first = loss(x, y).item()
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(x, y)
        value.backward()
        optimizer.step()
    assert value.item() < 0.02 * first


def test_an_opposite_picture_costs_1_at_several_scales_without_a_nan() -> None:
    x, _ = pair(1, 1, 22, 22)
    x.requires_grad_()
    loss = ms_ssim_loss(x, 1 - x.detach(), scale_weights=(0.5, 0.5), input_range=(0, 1))
    assert loss == 1
    loss.backward()
    assert x.grad is not None
    assert (x.grad == 0).all()


def test_pictures_that_are_too_small_are_told_the_smallest_size() -> None:
    small = torch.zeros(2, 3, 10, 32)
    with pytest.raises(ValueError, match=r"N x C x H x W with sides of at least 11; got \(2, 3, 10, 32\)"):
        SSIMLoss()(small, small)
    with pytest.raises(ValueError, match=r"N x C x H x W with sides of at least 11; got \(3, 32, 32\)"):
        ssim_loss(torch.zeros(3, 32, 32), torch.zeros(3, 32, 32))
    almost, enough = torch.rand(1, 1, 175, 200), torch.rand(1, 1, 176, 200)
    message = "sides of at least 176 for 5 scales: fewer scale_weights take smaller ones; got"
    with pytest.raises(ValueError, match=message):
        MSSSIMLoss()(almost, almost)
    assert MSSSIMLoss()(enough, enough) == 0
    assert MSSSIMLoss(scale_weights=SCALE_WEIGHTS[:4])(almost, almost) == 0


def test_no_convolution_and_no_product_of_matrices_could_round_to_tf32() -> None:
    """As those do on a GPU, and in the backward pass, where no flag that a loss sets would reach."""
    names: set[str] = set()

    class Operations(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            names.add(func.overloadpacket.__name__)
            return func(*args, **(kwargs or {}))

    x, y = pair(1, 3, 22, 22)
    x.requires_grad_()
    with Operations():
        ms_ssim_loss(x, y, scale_weights=(0.5, 0.5)).backward()
    assert {"slice", "slice_backward", "mul"} <= names
    assert not [name for name in names if "conv" in name or "mm" in name]
