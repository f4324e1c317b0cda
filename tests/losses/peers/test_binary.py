"""Losses of yes-or-no questions against torch, torchvision, timm, kornia, MONAI and segmentation_models_pytorch."""

import kornia.losses
import monai.losses
import pytest
import segmentation_models_pytorch as smp
import timm.loss
import torch
import torchvision.ops
from torch import Tensor
from torch.nn import functional as F

import losses
from tests.losses.peers.agreement import assert_agree, trained

every_reduction = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])


def labels(*shape: int) -> Tensor:
    return torch.randint(2, shape).double()


@every_reduction
@pytest.mark.parametrize("pos_weight", [None, torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)], ids=str)
def test_bce_with_logits_of_torch(pos_weight: Tensor | None, reduction: str) -> None:
    options = {"pos_weight": pos_weight, "reduction": reduction}
    assert_agree(
        lambda x, y: losses.bce_with_logits_loss(x, y, **options),
        lambda x, y: F.binary_cross_entropy_with_logits(x, y, **options),
        trained(4, 3),
        torch.rand(4, 3, dtype=torch.float64),
    )


@every_reduction
def test_bce_from_probabilities_of_torch(reduction: str) -> None:
    """At 0 and 1, too, where the logarithm is held at -100."""
    probabilities = torch.cat([torch.rand(4, dtype=torch.float64), torch.tensor([0.0, 1.0])]).double()
    assert_agree(
        lambda x, y: losses.bce_from_probs(x, y, reduction=reduction),
        lambda x, y: F.binary_cross_entropy(x, y, reduction=reduction),
        probabilities.requires_grad_(),
        labels(6),
    )


def test_bce_with_ignored_elements_of_smp() -> None:
    """Smp's mean divides by the ignored elements as well."""
    target = labels(4, 3)
    target[:, 0] = -100
    known = target != -100
    assert_agree(
        lambda x: losses.bce_with_logits_loss(x, target, mask=known),
        lambda x: smp.losses.SoftBCEWithLogitsLoss()(x, target) * 3 / 2,
        trained(4, 3),
    )


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_multi_label_loss_of_timm(reduction: str) -> None:
    """Timm takes the sum or the mean over labels, and the mean over samples; ours has one option for each."""
    pos_weight, target = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64), labels(4, 3)
    theirs = timm.loss.BinaryCrossEntropy(smoothing=0.0, sum_classes=reduction == "sum", pos_weight=pos_weight)
    assert_agree(
        lambda x: losses.multi_label_loss(x, target, labels=reduction, pos_weight=pos_weight),
        lambda x: theirs(x, target),
        trained(4, 3),
    )


@every_reduction
@pytest.mark.parametrize("alpha", [None, 0.25, 0.9])
@pytest.mark.parametrize("gamma", [0.0, 1.5, 2.0])
def test_focal_loss_of_torchvision(gamma: float, alpha: float | None, reduction: str) -> None:
    """Torchvision turns alpha off with -1."""
    target = labels(4, 3)
    assert_agree(
        lambda x: losses.binary_focal_loss(x, target, gamma=gamma, alpha=alpha, reduction=reduction),
        lambda x: torchvision.ops.sigmoid_focal_loss(
            x, target, alpha=-1 if alpha is None else alpha, gamma=gamma, reduction=reduction
        ),
        trained(4, 3),
    )


def test_focal_loss_per_positive_of_torchvision() -> None:
    """RetinaNet's head divides torchvision's sum by the number of positives."""
    target = labels(4, 3)
    assert_agree(
        lambda x: losses.binary_focal_loss(x, target, normalizer="positives"),
        lambda x: torchvision.ops.sigmoid_focal_loss(x, target, reduction="sum") / target.sum().clamp_min(1),
        trained(4, 3),
    )


def test_focal_loss_of_torchvision_where_logits_are_certain() -> None:
    """Below gamma 1 the power of 1 - p has an infinite slope at 0: torchvision's gradient is NaN, ours 0."""
    input, target = torch.tensor([200.0], requires_grad=True), torch.ones(1)
    (theirs,) = torch.autograd.grad(torchvision.ops.sigmoid_focal_loss(input, target, gamma=0.5).sum(), input)
    assert theirs.isnan()
    (ours,) = torch.autograd.grad(losses.binary_focal_loss(input, target, gamma=0.5), input)
    assert ours == 0


@every_reduction
def test_focal_loss_of_kornia(reduction: str) -> None:
    target = labels(4, 3)
    assert_agree(
        lambda x: losses.binary_focal_loss(x, target, reduction=reduction),
        lambda x: kornia.losses.binary_focal_loss_with_logits(x, target, reduction=reduction),
        trained(4, 3),
    )


@pytest.mark.parametrize("alpha", [None, 0.25])
def test_focal_loss_of_monai(alpha: float | None) -> None:
    """In float32; its sum is not one: it takes the mean over the pixels first."""
    target = labels(4, 1, 6)
    theirs = monai.losses.FocalLoss(alpha=alpha)
    assert_agree(
        lambda x: losses.binary_focal_loss(x, target, alpha=alpha),
        lambda x: theirs(x, target),
        trained(4, 1, 6),
        rtol=1e-5,
        atol=1e-6,
    )


def test_focal_loss_of_smp() -> None:
    target = labels(4, 1, 6)
    target[:, :, 0] = 255
    theirs = smp.losses.FocalLoss("binary", alpha=0.25, ignore_index=255)
    assert_agree(
        lambda x: losses.binary_focal_loss(x, target, mask=target != 255),
        lambda x: theirs(x, target),
        trained(4, 1, 6),
    )
