"""Losses of regions against MONAI, kornia, segmentation_models_pytorch (smp), and sums in float64."""

import kornia.losses
import monai.losses
import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor
from torch.testing import assert_close

import losses
from tests.losses.peers.agreement import assert_agree, trained

CLASSES = 4


def logits() -> Tensor:
    return trained(3, CLASSES, 4, 5)


def classes(ignored: int | None = None) -> Tensor:
    """Class 3 is in no sample, class 2 not in the first."""
    target = torch.randint(CLASSES - 1, (3, 4, 5))
    target[0] %= 2
    target[:, 0] = torch.arange(5) % 2  # classes 0 and 1 are in every sample
    target[1:, 1] = 2
    if ignored is not None:
        target[:, 2] = ignored
    return target


def regions() -> Tensor:
    return torch.randint(2, (3, CLASSES, 4, 5)).double()


@pytest.mark.parametrize("include_background", [False, True])
@pytest.mark.parametrize(
    ("reduction", "per_sample"), [("mean", True), ("sum", True), ("none", True), ("mean", False), ("sum", False)]
)
def test_dice_of_monai(reduction: str, per_sample: bool, include_background: bool) -> None:
    """Its two smoothing terms are our one. Its "none" keeps the pixels' dimensions, and fails for a whole batch."""
    target = classes()
    theirs = monai.losses.DiceLoss(
        softmax=True,
        to_onehot_y=True,
        smooth_nr=0.5,
        smooth_dr=0.5,
        batch=not per_sample,
        include_background=include_background,
        reduction=reduction,
    )
    options = {"smooth": 0.5, "per_sample": per_sample, "include_background": include_background}
    assert_agree(
        lambda x: losses.dice_loss(x, target, **options, reduction=reduction),
        lambda x: theirs(x, target.unsqueeze(1)).squeeze(),
        logits(),
    )


def test_dice_of_regions_of_monai() -> None:
    """MONAI's mean divides by the number of classes, ours by the sum of their weights."""
    target, weight = regions(), torch.tensor([0.5, 1.0, 2.0, 0.0], dtype=torch.float64)
    theirs = monai.losses.DiceLoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0, weight=weight)
    assert_agree(
        lambda x: losses.dice_loss(x, target, weight=weight),
        lambda x: theirs(x, target) * CLASSES / weight.sum(),
        logits(),
    )


def test_dice_with_ignored_pixels_of_monai() -> None:
    target = classes(ignored=255)
    theirs = monai.losses.DiceLoss(softmax=True, to_onehot_y=True, smooth_nr=1.0, smooth_dr=1.0, ignore_index=255)
    assert_agree(
        lambda x: losses.dice_loss(x, target, ignore_index=255),
        lambda x: theirs(x, target.unsqueeze(1)),
        logits(),
    )


def test_macro_dice_and_tversky_of_kornia() -> None:
    """Kornia leaves out classes that are not in a sample, as ``absent="skip"``, but takes each sample's mean first.

    Ours is over all pairs of sample and class that count, so that the two are the same sample by sample.
    """
    target, weight = classes(ignored=255), torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)
    options = {"smooth": 0.0, "absent": "skip", "ignore_index": 255}

    def by_sample(loss: losses.DiceLoss | losses.TverskyLoss, x: Tensor) -> Tensor:
        return torch.stack([loss(x[i : i + 1], target[i : i + 1]) for i in range(len(x))]).mean()

    assert_agree(
        lambda x: by_sample(losses.DiceLoss(weight=weight, **options), x),
        lambda x: kornia.losses.dice_loss(x, target, "macro", weight=weight, ignore_index=255),
        logits(),
    )
    assert_agree(
        lambda x: by_sample(losses.TverskyLoss(alpha=0.3, beta=0.7, **options), x),
        lambda x: kornia.losses.tversky_loss(x, target, 0.3, 0.7, ignore_index=255),
        logits(),
    )


def test_a_sample_of_which_all_is_ignored_costs_1_in_kornia() -> None:
    target = classes()
    target[0] = -100
    input = torch.zeros(3, CLASSES, 4, 5)
    input[1:].scatter_(1, target[1:].unsqueeze(1), 50.0)  # right wherever it counts
    assert_close(kornia.losses.dice_loss(input, target, "macro"), torch.tensor(1 / 3))
    assert_close(losses.dice_loss(input, target, smooth=0.0, absent="skip"), torch.tensor(0.0))


def test_micro_dice_of_kornia_is_an_l1_distance() -> None:
    """With the sums over all classes, 2 sum p_t / (pixels + pixels) is the mean probability of what is true."""
    target = classes()
    assert_agree(
        lambda x: losses.probability_l1_loss(x, target) / 2,
        lambda x: kornia.losses.dice_loss(x, target, "micro"),
        logits(),
    )


@pytest.mark.parametrize("weight", [None, [0.5, 1.0, 2.0, 3.0]])
def test_dice_of_smp(weight: list[float] | None) -> None:
    """Over the whole batch; what is absent costs nothing but counts; I + s over halves: its s is half of ours."""
    target = classes(ignored=255)
    theirs = smp.losses.DiceLoss("multiclass", smooth=0.5, ignore_index=255, class_weights=weight)
    ours = losses.DiceLoss(smooth=1.0, per_sample=False, absent="zero", ignore_index=255, weight=weight)
    assert_agree(lambda x: ours(x, target), lambda x: theirs(x, target), logits())


def test_dice_of_regions_of_smp() -> None:
    target = regions()
    target[:, 0] = 0  # absent
    theirs = smp.losses.DiceLoss("multilabel", smooth=0.5)
    ours = losses.DiceLoss(smooth=1.0, per_sample=False, absent="zero")
    assert_agree(lambda x: ours(x, target), lambda x: theirs(x, target), logits())


def test_binary_tversky_of_smp() -> None:
    target = torch.randint(2, (3, 1, 4, 5)).double()
    theirs = smp.losses.TverskyLoss("binary", smooth=0.5, alpha=0.3, beta=0.7, gamma=0.75)
    ours = losses.TverskyLoss(smooth=0.5, alpha=0.3, beta=0.7, gamma=0.75, per_sample=False)
    assert_agree(lambda x: ours(x, target), lambda x: theirs(x, target), trained(3, 1, 4, 5))


def test_tversky_of_several_classes_of_smp() -> None:
    """Smp takes the power gamma of the classes' mean, where Abraham and Khan sum the powers of the classes."""
    target = classes()
    theirs = smp.losses.TverskyLoss("multiclass", smooth=0.5, alpha=0.3, beta=0.7, gamma=0.75)
    ours = losses.TverskyLoss(smooth=0.5, alpha=0.3, beta=0.7, per_sample=False, absent="zero")
    assert_agree(lambda x: ours(x, target) ** 0.75, lambda x: theirs(x, target), logits())


@pytest.mark.parametrize("include_background", [False, True])
def test_tversky_of_monai(include_background: bool) -> None:
    target, options = classes(), {"alpha": 0.3, "beta": 0.7, "include_background": include_background}
    theirs = monai.losses.TverskyLoss(softmax=True, to_onehot_y=True, smooth_nr=1.0, smooth_dr=1.0, **options)
    assert_agree(
        lambda x: losses.tversky_loss(x, target, **options),
        lambda x: theirs(x, target.unsqueeze(1)),
        logits(),
    )


def test_cross_entropy_and_dice_of_monai() -> None:
    target = classes()
    theirs = monai.losses.DiceCELoss(
        softmax=True, to_onehot_y=True, smooth_nr=1.0, smooth_dr=1.0, lambda_ce=0.3, lambda_dice=0.7
    )
    assert_agree(
        lambda x: losses.cross_entropy_dice_loss(x, target, cross_entropy_weight=0.3, dice_weight=0.7),
        lambda x: theirs(x, target.unsqueeze(1)),
        logits(),
    )


def test_cross_entropy_and_dice_of_one_region_of_monai() -> None:
    """Of several regions MONAI takes the cross-entropy of a softmax, beside Dice of sigmoids; ours is binary."""
    target = torch.randint(2, (3, 1, 4, 5)).double()
    theirs = monai.losses.DiceCELoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0)
    assert_agree(lambda x: losses.cross_entropy_dice_loss(x, target), lambda x: theirs(x, target), trained(3, 1, 4, 5))


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("ignored", [None, 255])
def test_lovasz_of_smp(per_sample: bool, ignored: int | None) -> None:
    """Smp takes each sample's mean first; ours is over all pairs of sample and class that count. It is in float32."""
    target = classes(ignored)
    theirs = smp.losses.LovaszLoss("multiclass", per_image=per_sample, ignore_index=ignored)
    ours = losses.LovaszLoss(per_sample=per_sample, ignore_index=255)

    def by_sample(x: Tensor) -> Tensor:
        return torch.stack([ours(x[i : i + 1], target[i : i + 1]) for i in range(len(x))]).mean()

    whole = by_sample if per_sample else lambda x: ours(x, target)
    input = trained(3, CLASSES, 4, 5, dtype=torch.float32)
    assert_agree(whole, lambda x: theirs(x, target), input, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("include_background", [False, True])
@pytest.mark.parametrize("per_sample", [False, True])
def test_generalized_dice_of_monai(per_sample: bool, include_background: bool) -> None:
    """Also of absent classes, which have the largest weight in both; its smoothing is not in pixels."""
    target = classes()
    theirs = monai.losses.GeneralizedDiceLoss(
        softmax=True,
        to_onehot_y=True,
        smooth_nr=0.0,
        smooth_dr=0.0,
        batch=not per_sample,
        include_background=include_background,
    )
    options = {"smooth": 0.0, "per_sample": per_sample, "include_background": include_background}
    assert_agree(
        lambda x: losses.generalized_dice_loss(x, target, **options),
        lambda x: theirs(x, target.unsqueeze(1)),
        logits(),
        rtol=1e-6,  # its weights are float32
        atol=1e-7,
    )


@pytest.mark.parametrize("confidence", [0.0, 1.0, 12.0])
def test_sums_over_large_pictures(confidence: float) -> None:
    """In float32, against numpy's sums in float64: equal values, which add up with equal errors, are the worst case."""
    side, target = 1024, torch.randint(2, (1, 1024, 1024))
    input = torch.zeros(1, 2, side, side).scatter_(1, target.unsqueeze(1), confidence)
    probability = input.softmax(1).gather(1, target.unsqueeze(1)).double().numpy().ravel()
    shared = np.bincount(target.numpy().ravel(), probability, minlength=2)
    true = np.bincount(target.numpy().ravel(), minlength=2)
    predicted = shared + (1 - probability).sum() - (true - shared)
    ours = losses.dice_loss(input, target, smooth=0.0, reduction="none")[0]
    np.testing.assert_allclose(ours, 1 - 2 * shared / (predicted + true), rtol=1e-5, atol=1e-6)
    assert (ours >= 0).all()


@pytest.mark.parametrize("confidence", [0.0, 3.0])
def test_lovasz_of_large_pictures(confidence: float) -> None:
    """In float32, against differences of the distance in numpy's float64."""
    side, target = 512, torch.randint(2, (1, 512, 512))
    input = (confidence * torch.randn(1, 2, side, side)).scatter_add_(
        1, target.unsqueeze(1), torch.full((1, 1, side, side), confidence)
    )
    each = []
    for number in range(2):
        true = (target == number).numpy().ravel()
        error = np.abs(true - input.softmax(1)[0, number].double().numpy().ravel())
        order = np.argsort(-error, kind="stable")
        missed, union = true.sum() - true[order].cumsum(), true.sum() + (~true[order]).cumsum()
        each.append((error[order] * np.diff(1 - missed / union, prepend=0)).sum())
    np.testing.assert_allclose(losses.lovasz_loss(input, target, reduction="none")[0], each, rtol=1e-5)
