import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from losses import DiceLoss, cross_entropy_dice_loss, cross_entropy_loss, dice_loss, tversky_loss

SURE = 100.0  # a logit whose probability is 1 in float32


def logits_of(classes: Tensor, count: int) -> Tensor:
    """Logits that are sure of these classes."""
    return SURE * F.one_hot(classes, count).movedim(-1, 1).float()


def test_dice_by_hand() -> None:
    """Four pixels, two right: class 0 has 1 of 2 predicted and 2 true, class 1 has 1 of 2 and 2."""
    predicted, true = torch.tensor([[0, 0, 1, 1]]), torch.tensor([[0, 1, 1, 0]])
    each = dice_loss(logits_of(predicted, 2), true, smooth=1, reduction="none")
    assert_close(each, torch.full((1, 2), 1 - (2 * 1 + 1) / (2 + 2 + 1)))
    assert_close(dice_loss(logits_of(predicted, 2), true, smooth=0), torch.tensor(0.5))


def test_uniform_logits_and_an_absent_class() -> None:
    """p = 1/3 everywhere, 6 pixels, 3 of class 0 and 3 of class 1, none of class 2."""
    logits, true = torch.zeros(1, 3, 6), torch.tensor([[0, 0, 0, 1, 1, 1]])
    present, absent = 1 - (2 * 1 + 1) / (2 + 3 + 1), 1 - 1 / (2 + 1)
    assert_close(dice_loss(logits, true), torch.tensor((2 * present + absent) / 3))
    assert_close(dice_loss(logits, true, absent="skip"), torch.tensor(present))
    assert_close(dice_loss(logits, true, absent="zero"), torch.tensor(2 * present / 3))
    each = dice_loss(logits, true, include_background=False, reduction="none")
    assert_close(each, torch.tensor([[present, absent]]))


def test_a_missed_small_object_and_the_smoothing() -> None:
    logits, true = logits_of(torch.zeros(1, 100, dtype=torch.long), 2), torch.zeros(1, 100, dtype=torch.long)
    true[0, 0] = 1
    missed = dice_loss(logits, true, smooth=1, reduction="none")[0, 1]
    assert_close(missed, torch.tensor(0.5))
    assert dice_loss(logits, true, smooth=1e-5, reduction="none")[0, 1] > 0.9999


def test_samples_are_not_flattened_into_one_unless_asked() -> None:
    """One picture right, one wrong: half of the loss each, however many pixels their regions have."""
    true = torch.zeros(2, 1, 100)
    true[0], true[1, 0, 0] = 1, 1
    logits = SURE * (2 * true - 1)
    logits[1] = -SURE
    assert_close(dice_loss(logits, true, smooth=1e-6), torch.tensor(0.5), atol=1e-5, rtol=0)
    of_batch = dice_loss(logits, true, smooth=1e-6, per_sample=False)
    assert_close(of_batch, torch.tensor(1 - 200 / 201), atol=1e-5, rtol=0)


def test_ignored_pixels_are_as_if_they_were_not_there() -> None:
    logits, true = torch.randn(2, 3, 10), torch.randint(3, (2, 10))
    masks = torch.randint(2, (2, 3, 10))
    for loss in dice_loss, tversky_loss, cross_entropy_dice_loss:
        for target in true, masks:
            ignored = target.clone()
            ignored[..., 6:] = 255
            kept = loss(logits[..., :6], target[..., :6])
            assert_close(loss(logits, ignored, ignore_index=255), kept)


def test_a_sample_that_is_ignored_as_a_whole_is_not_in_the_mean() -> None:
    logits, true = torch.randn(2, 3, 10), torch.randint(3, (2, 10))
    true[1] = -100
    for loss in dice_loss, tversky_loss, cross_entropy_dice_loss:
        assert_close(loss(logits, true), loss(logits[:1], true[:1]))


def test_class_weights_are_normalised() -> None:
    logits, true = torch.randn(2, 3, 10), torch.randint(3, (2, 10))
    each = dice_loss(logits, true, reduction="none")
    weight = torch.tensor([0.0, 1.0, 3.0])
    assert_close(DiceLoss(weight=weight)(logits, true), ((each[:, 1] + 3 * each[:, 2]) / 4).mean())
    without = dice_loss(logits, true, weight=weight, include_background=False)
    assert_close(without, DiceLoss(weight=weight)(logits, true))
    with pytest.raises(ValueError, match="weight must be a tensor of one weight per class"):
        dice_loss(logits, true, weight=torch.ones(2))


def test_multi_class_dice_is_that_of_the_one_hot_regions() -> None:
    logits, true = torch.randn(2, 4, 5, 6), torch.randint(4, (2, 5, 6))
    p, t = logits.softmax(1).flatten(2), F.one_hot(true, 4).movedim(-1, 1).flatten(2)
    expected = 1 - (2 * (p * t).sum(2) + 1) / (p.sum(2) + t.sum(2) + 1)
    assert_close(dice_loss(logits, true, reduction="none"), expected)
    of_batch = 1 - (2 * (p * t).sum((0, 2)) + 1) / (p.sum((0, 2)) + t.sum((0, 2)) + 1)
    assert_close(dice_loss(logits, true, per_sample=False, reduction="none"), of_batch)


def test_pictures_without_space_are_a_pixel_each() -> None:
    logits, true = torch.randn(5, 3), torch.randint(3, (5,))
    for loss in dice_loss, tversky_loss, cross_entropy_dice_loss:
        assert_close(loss(logits, true), loss(logits[..., None], true[..., None]))


def test_tversky_weighs_false_positives_with_alpha_and_false_negatives_with_beta() -> None:
    """Class 1 by hand: 1 hit, 2 false positives, 1 false negative. Exchanged, they give another value."""
    predicted, true = torch.tensor([[1, 1, 1, 0, 0]]), torch.tensor([[1, 0, 0, 1, 0]])
    each = tversky_loss(logits_of(predicted, 2), true, alpha=0.3, beta=0.7, smooth=0, reduction="none")
    assert each[0, 1].item() == pytest.approx(1 - 1 / (1 + 0.3 * 2 + 0.7 * 1))
    focal = tversky_loss(logits_of(predicted, 2), true, alpha=0.3, beta=0.7, smooth=0, gamma=0.75, reduction="none")
    assert_close(focal, each**0.75)


@given(st.floats(0, 10), st.integers(0, 1000))
def test_tversky_with_halves_is_dice_with_twice_the_smoothing(smooth: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 7, dtype=torch.float64, generator=generator)
    true = torch.randint(3, (2, 7), generator=generator)
    tversky = tversky_loss(logits, true, alpha=0.5, beta=0.5, smooth=smooth)
    assert_close(tversky, dice_loss(logits, true, smooth=2 * smooth))


def test_a_perfect_prediction_costs_nothing_and_has_finite_gradients() -> None:
    true = torch.randint(3, (2, 10))
    for options in {"gamma": 0.5}, {"gamma": 1.0}:
        logits = logits_of(true, 3).requires_grad_()
        value = tversky_loss(logits, true, smooth=0, **options)
        value.backward()
        assert value == 0
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


def test_the_sum_of_cross_entropy_and_dice() -> None:
    logits, true = torch.randn(2, 3, 10), torch.randint(3, (2, 10))
    options = {"cross_entropy_weight": 0.3, "dice_weight": 2.0}
    expected = 0.3 * cross_entropy_loss(logits, true) + 2 * dice_loss(logits, true)
    assert_close(cross_entropy_dice_loss(logits, true, **options), expected)
    each = cross_entropy_dice_loss(logits, true, **options, reduction="none")
    assert each.shape == (2,)
    assert_close(each.mean(), expected)
    masks = torch.randint(2, (2, 3, 10)).float()
    expected = F.binary_cross_entropy_with_logits(logits, masks) + dice_loss(logits, masks)
    assert_close(cross_entropy_dice_loss(logits, masks), expected)


def test_masks_of_any_type() -> None:
    logits, masks = torch.randn(2, 1, 10), torch.randint(2, (2, 1, 10))
    for dtype in torch.bool, torch.uint8, torch.float16:
        for loss in dice_loss, tversky_loss, cross_entropy_dice_loss:
            assert_close(loss(logits, masks.to(dtype)), loss(logits, masks.float()))


@pytest.mark.parametrize("size", [512])
def test_large_pictures_in_half_precision(size: int) -> None:
    """262,144 pixels: a float16 sum is infinite, and the loss NaN or silently 1."""
    logits = torch.zeros(1, 1, size, size, dtype=torch.float16)
    true = torch.ones(1, 1, size, size, dtype=torch.float16)
    assert_close(dice_loss(logits, true), torch.tensor(1 - 1 / 1.5), rtol=1e-4, atol=0)


def test_bad_targets_are_refused() -> None:
    logits = torch.zeros(2, 3, 4)
    with pytest.raises(ValueError, match="target must hold classes from 0 to 2"):
        dice_loss(logits, torch.full((2, 4), 3))
    with pytest.raises(ValueError, match=r"target must be in \[0, 1\], or -100 to ignore, in a region; got 0 to 255"):
        dice_loss(logits, torch.tensor([0.0, 255, 0, 0]).expand(2, 3, 4))
    with pytest.raises(
        ValueError, match=r"one class, whose softmax is always 1: a binary target needs the shape of input, \(2, 1, 4\)"
    ):
        dice_loss(logits[:, :1], torch.zeros(2, 4, dtype=torch.long))


def test_chance() -> None:
    """Uniform logits over two classes that share the pixels: Dice costs about a half, cross-entropy log 2."""
    logits, true = torch.zeros(1, 2, 1000), torch.arange(1000)[None] % 2
    assert cross_entropy_dice_loss(logits, true).item() == pytest.approx(math.log(2) + 0.5, abs=1e-3)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, in forward mode
@pytest.mark.parametrize("loss", [dice_loss, tversky_loss, cross_entropy_dice_loss])
def test_torchs_function_transforms(loss: Any) -> None:
    """For each sample by itself its gradient, and derivatives forward and backward that agree."""
    logits, target = torch.randn(4, 3, 5, dtype=torch.float64), torch.randint(3, (4, 5))
    target[0, :2] = -100

    def of_one(logits: Tensor, target: Tensor) -> Tensor:
        return loss(logits[None], target[None], validate=False)

    gradients = torch.vmap(torch.func.grad(of_one))(logits, target)
    for x, y, gradient in zip(logits, target, gradients, strict=True):
        x = x.clone().requires_grad_()
        assert_close(gradient, torch.autograd.grad(of_one(x, y), x)[0])
    forward, backward = (
        jacobian(lambda x: loss(x, target))(logits) for jacobian in (torch.func.jacfwd, torch.func.jacrev)
    )
    assert_close(forward, backward)
    assert_close(
        torch.func.hessian(lambda x: loss(x, target))(logits),
        torch.func.jacrev(torch.func.jacrev(lambda x: loss(x, target)))(logits),
    )
