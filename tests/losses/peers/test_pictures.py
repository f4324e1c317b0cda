"""Losses of pictures against torchmetrics, kornia and MONAI."""

import math

import kornia.losses
import pytest
import torch
from monai.metrics.regression import compute_ms_ssim
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close
from torchmetrics.functional import image

import losses
from losses.ssim import SCALE_WEIGHTS
from tests.losses.peers.agreement import assert_agree, trained


def pictures(*shape: int) -> tuple[Tensor, Tensor]:
    """Two in [0, 1] that have something in common; the first takes a gradient."""
    target = torch.rand(*shape, dtype=torch.float64)
    return (0.7 * target + 0.3 * torch.rand_like(target)).requires_grad_(), target


def similarity(x: Tensor, y: Tensor) -> Tensor:
    """Torchmetrics' of each picture, whose mean is over mirrored borders, too, without these."""
    _, similar = image.structural_similarity_index_measure(x, y, data_range=1.0, return_full_image=True)
    return similar[..., 5:-5, 5:-5].mean((1, 2, 3))


def test_ssim_of_torchmetrics() -> None:
    assert_agree(
        lambda x, y: losses.ssim_loss(x, y, input_range=(0, 1), reduction="none"),
        lambda x, y: 1 - similarity(x, y),
        *pictures(2, 3, 24, 31),
    )


@pytest.mark.slow
def test_ms_ssim_of_torchmetrics_and_monai() -> None:
    """Scale by scale of torchmetrics; whole of MONAI, whose float32 has four digits here."""

    def theirs(x: Tensor, y: Tensor) -> Tensor:
        factors = []
        for weight in SCALE_WEIGHTS[:-1]:
            _, structure = image.structural_similarity_index_measure(
                x, y, data_range=1.0, reduction="none", return_contrast_sensitivity=True
            )
            factors.append(structure**weight)
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        return 1 - math.prod(factors) * similarity(x, y) ** SCALE_WEIGHTS[-1]

    def ours(x: Tensor, y: Tensor) -> Tensor:
        return losses.ms_ssim_loss(x, y, input_range=(0, 1), reduction="none")

    x, y = pictures(2, 1, 177, 190)
    assert_agree(ours, theirs, x, y)
    assert_close(ours(x, y), 1 - compute_ms_ssim(x, y, spatial_dims=2).double().squeeze(1), rtol=3e-4, atol=0)


def test_total_variation_of_kornia_and_torchmetrics() -> None:
    """Kornia's mean is of each channel; torchmetrics adds up what we average."""
    x = trained(2, 3, 5, 6)
    assert_agree(
        lambda x: losses.total_variation_loss(x, reduction="none"),
        lambda x: kornia.losses.total_variation(x, reduction="mean").mean(-1),
        x,
    )
    rows = trained(2, 1, 1, 6)
    assert_agree(lambda x: 5 * losses.total_variation_loss(x, reduction="sum"), image.total_variation, rows)


def test_gradient_matching_of_torchmetrics_differences() -> None:
    """Of color pictures, where every channel counts."""

    def theirs(x: Tensor, y: Tensor) -> Tensor:
        down, right = image.image_gradients(x - y)
        return (down.abs().sum() + right.abs().sum()) / x.numel()

    assert_agree(lambda x, y: losses.gradient_matching_loss(x, y, scales=1), theirs, *pictures(2, 3, 5, 6))
