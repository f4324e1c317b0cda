import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from multitask.guide import EPS, Guide, interpolate


def picture(height: int = 12, width: int = 16, seed: int = 0) -> Tensor:
    return torch.rand(2, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_least_squares(image: Tensor, prediction: Tensor, stride: int) -> Tensor:
    """The filter of one picture and one channel, window by window, as a ridge regression that NumPy solves."""
    height, width = prediction.shape
    colors = image.unfold(1, stride, stride).unfold(2, stride, stride).mean((3, 4)).numpy()
    parts = torch.empty(1, 4, height, width, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            window = np.s_[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            x, y = colors[:, window[0], window[1]].reshape(3, -1).T, prediction.numpy()[window].ravel()
            # sum (a x + b - y)^2 + n eps |a|^2: of rows for the data, and of three for eps
            ridge = np.sqrt(len(x) * EPS) * np.eye(3, 4)
            rows = np.concatenate([np.column_stack([x, np.ones(len(x))]), ridge])
            solution = np.linalg.lstsq(rows, np.concatenate([y, np.zeros(3)]), rcond=None)[0]
            parts[0, :, row, column] = torch.from_numpy(solution)
    slopes = F.interpolate(parts, image.shape[1:], mode="bilinear", align_corners=False)[0]
    return (slopes[:3] * image).sum(0) + slopes[3]


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_it_is_a_ridge_regression_in_every_window(stride: int) -> None:
    images = picture()
    prediction = torch.randn(2, 2, 12 // stride, 16 // stride, dtype=torch.float64)
    found = Guide.of(images, stride).upsample(prediction)
    for image, channels, results in zip(images, prediction, found, strict=True):
        for channel, result in zip(channels, results, strict=True):
            assert_close(result, by_least_squares(image, channel, stride))


def test_an_edge_between_two_predictions_becomes_that_of_the_picture() -> None:
    """Which bilinear interpolation cannot know: the edge is in the middle of what one prediction is for."""
    image = torch.full((1, 3, 8, 16), 0.2)
    image[..., 7:] = torch.tensor([0.9, 0.5, 0.4]).view(3, 1, 1)
    depth = torch.where(image[:, :1] > 0.2, 1.0, 4.0)
    coarse = F.avg_pool2d(depth, 4)
    guided, bilinear = Guide.of(image, 4).upsample(coarse), interpolate(coarse, (8, 16))
    assert (guided - depth).abs().max() < 0.01
    assert (bilinear - depth).abs().max() > 1


def test_in_a_flat_picture_it_is_the_mean_of_the_window() -> None:
    prediction = torch.randn(2, 3, 3, 4, dtype=torch.float64)
    flat = torch.full((2, 3, 12, 16), 0.3, dtype=torch.float64)
    padded = F.pad(prediction, (1, 1, 1, 1), value=float("nan"))
    means = torch.stack([padded[..., row : row + 3, column : column + 4] for row in range(3) for column in range(3)])
    assert_close(Guide.of(flat, 4).upsample(prediction), interpolate(means.nanmean(0), (12, 16)))


def test_a_texture_that_the_prediction_does_not_follow_leaves_little_trace() -> None:
    rows = torch.arange(16).view(-1, 1)
    tiles = ((rows // 4 + rows.T // 4) % 2).double().expand(1, 3, 16, 16)
    tilted = torch.arange(8, dtype=torch.float64).view(1, 1, 8, 1).expand(1, 1, 8, 8)
    guided, bilinear = Guide.of(tiles, 2).upsample(tilted), interpolate(tilted, (16, 16))
    assert (guided - bilinear)[..., 4:-4, 4:-4].abs().max() < 0.25  # of 1, the step from row to row


@given(st.integers(0, 1000), st.floats(-3, 3), st.floats(-10, 10))
def test_it_is_linear_in_the_prediction_and_keeps_a_constant(seed: int, factor: float, constant: float) -> None:
    guide = Guide.of(picture(seed=seed), 2)
    generator = torch.Generator().manual_seed(seed)
    one, other = (torch.randn(2, 2, 6, 8, dtype=torch.float64, generator=generator) for _ in range(2))
    together = guide.upsample(factor * one + other + constant)
    assert_close(together, factor * guide.upsample(one) + guide.upsample(other) + constant)


def test_gradients_reach_the_prediction_and_not_the_picture() -> None:
    images = picture(4, 6).requires_grad_()
    prediction = torch.randn(2, 1, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Guide.of(images, 2).upsample, (prediction,))
    Guide.of(images, 2).upsample(prediction).sum().backward()
    assert images.grad is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    images, prediction = picture().to(dtype), torch.randn(2, 2, 6, 8).to(dtype)
    found = Guide.of(images, 2).upsample(prediction)
    assert_close(found, Guide.of(images.float(), 2).upsample(prediction.float()), rtol=0, atol=0)
    assert found.dtype == torch.float32


def test_float32_is_enough_for_gray_pictures() -> None:
    """Their colors are nearly dependent, so the covariance of a window can hardly be inverted without the eps."""
    gray = picture()[:, :1].expand(2, 3, 12, 16) + 1e-3 * picture(seed=1)
    prediction = 5 * torch.rand(2, 1, 6, 8, dtype=torch.float64)
    exact = Guide.of(gray, 2).upsample(prediction)
    assert_close(Guide.of(gray.float(), 2).upsample(prediction.float()).double(), exact, rtol=0, atol=2e-2)


def test_the_order_of_memory_changes_no_bit() -> None:
    images, prediction = picture(96, 128).float(), torch.randn(2, 13, 48, 64)
    found = Guide.of(images, 2).upsample(prediction.to(memory_format=torch.channels_last))
    assert_close(found, Guide.of(images, 2).upsample(prediction), rtol=0, atol=0)
