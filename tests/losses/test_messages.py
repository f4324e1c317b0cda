"""What is refused, and in which words."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import losses

X, Y = torch.zeros(2, 3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.int64)
MASKED = (
    "mse_loss",
    "l1_loss",
    "rmse_loss",
    "huber_loss",
    "smooth_l1_loss",
    "log_cosh_loss",
    "charbonnier_loss",
    "asymmetric_mse_loss",
    "silog_loss",
    "berhu_loss",
    "gradient_matching_loss",
    "focal_frequency_loss",
    "shift_tolerant_l1_loss",
)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.dice_loss(X[:, :1], Y), r"one class, whose softmax is always 1.*target.*\(2, 1, 4, 4\)"),
        (
            lambda: losses.dice_loss(X[:, :1], Y.float()),
            r"one class, whose softmax is always 1.*target.*\(2, 1, 4, 4\)",
        ),
        (lambda: losses.dice_loss(X, Y.float()), r"target must hold integers, the classes, .* got torch.float32"),
        (
            lambda: losses.cross_entropy_loss(X, X.long()),
            r"target holds integers in the shape of input, .* one-hot classes: pass target.argmax\(1\)",
        ),
        (lambda: losses.focal_loss(X, X.long()), r"one-hot classes: pass target.argmax\(1\)"),
        (lambda: losses.focal_loss(X, Y, alpha=0.25), "alpha must be a tensor of one weight per class .* got 0.25"),
        (lambda: losses.FocalLoss(alpha=0.25), "alpha must hold one finite weight >= 0 per class; got 0.25"),
        (
            lambda: losses.focal_loss(X, Y, alpha=torch.tensor(0.25)),
            r"alpha must be a tensor of one weight per class.*shape \(\)",
        ),
        (
            lambda: losses.contrastive_loss(X[:, 0, 0], X[:, 0, 0], torch.tensor([1, -1])),
            r"same must be .*; got -1 to 1",
        ),
        (
            lambda: losses.contrastive_loss(X[:, 0, 0], X[:, 0, 0], torch.tensor([1.0, torch.nan])),
            "same must be .*; got nan",
        ),
        (
            lambda: losses.cross_entropy_loss(X, torch.full_like(X, -5.0)),
            r"target must be probabilities >= 0 that add up to 1 over the classes; got -5",
        ),
        (
            lambda: losses.cross_entropy_loss(X, torch.full_like(X, 0.9)),
            r"target must be probabilities >= 0 that add up to 1 over the classes; got sums from 2.7 to 2.7",
        ),
        (
            lambda: losses.bce_with_logits_loss(X, X, pos_weight=torch.ones(4)),
            r"pos_weight must be one number, or hold one weight per class .* \(2, 3, 4, 4\); got the shape \(4,\)",
        ),
        (
            lambda: losses.bce_with_logits_loss(X[0, 0, 0], X[0, 0, 0], pos_weight=torch.ones(2)),
            "pos_weight must be one",
        ),
        (lambda: losses.silog_loss(X, X), "target must be above 0, a depth, where the mask is True; got 0"),
        (lambda: losses.gradient_matching_loss(X[0, 0], X[0, 0]), r"N x ... x H x W; got \(4, 4\)"),
        (lambda: losses.shift_tolerant_l1_loss(X, X, max_shift=4), r"larger than max_shift, 4; got \(2, 3, 4, 4\)"),
        (lambda: losses.lovasz_loss(X, X + 0.5), "target must be 0 or 1, or -100 to ignore, in a region"),
        (lambda: losses.lovasz_loss(X[:, :1], Y), r"one class, whose softmax is always 1.*target.*\(2, 1, 4, 4\)"),
        (
            lambda: losses.BCEWithLogitsLoss(pos_weight=-1.0),
            "pos_weight must be one finite weight >= 0, or hold one per class; got -1",
        ),
    ],
)
def test_values_and_shapes(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_labels_of_pairs_are_not_looked_at_if_told_so() -> None:
    x = torch.zeros(2, 3)
    losses.contrastive_loss(x, x, torch.tensor([1, 2]), validate=False)
    losses.cross_entropy_loss(x, x, validate=False)


def test_positive_weights_are_those_of_the_channels() -> None:
    """Three labels in pictures three pixels wide: torch itself would weigh the columns."""
    logits, target, weights = torch.randn(2, 3, 5, 3), torch.randint(2, (2, 3, 5, 3)).float(), [0.5, 1.0, 4.0]
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, target, pos_weight=torch.tensor(weights).view(3, 1, 1)
    )
    assert_close(losses.BCEWithLogitsLoss(pos_weight=weights)(logits, target), expected)
    assert_close(losses.bce_with_logits_loss(logits, target, pos_weight=torch.tensor(weights)), expected)
    flat, labels = logits[:, :, 0, 0], target[:, :, 0, 0]
    of_labels = torch.nn.functional.binary_cross_entropy_with_logits(flat, labels, pos_weight=torch.tensor(weights))
    assert_close(losses.MultiLabelLoss(pos_weight=weights)(flat, labels), of_labels)


@pytest.mark.parametrize("weight", [3, 3.0, torch.tensor(3.0)])
def test_one_positive_weight_for_all(weight: Any) -> None:
    logits, target = torch.randn(2, 3, 4), torch.randint(2, (2, 3, 4)).float()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, pos_weight=torch.tensor(3.0))
    assert_close(losses.bce_with_logits_loss(logits, target, pos_weight=weight), expected)
    loss = losses.BCEWithLogitsLoss(pos_weight=weight)
    assert_close(loss(logits, target), expected)
    assert "pos_weight=3" in repr(loss)


@pytest.mark.parametrize("name", [*MASKED, "bce_with_logits_loss", "bce_from_probs", "binary_focal_loss"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.int64])
def test_masks_are_boolean(name: str, dtype: torch.dtype) -> None:
    x = torch.full((2, 3, 4), 0.5)
    with pytest.raises(TypeError, match=f"mask must be a boolean tensor.*; got {dtype}"):
        getattr(losses, name)(x, x, mask=torch.ones(2, 3, 4, dtype=dtype))


def test_other_masks_are_boolean() -> None:
    x = torch.full((2, 3), 0.5)
    for call in (
        lambda: losses.cosine_loss(x, x, mask=torch.ones(2)),
        lambda: losses.gaussian_nll_loss(x, x, x, mask=torch.ones(2, 3)),
        lambda: losses.multi_label_loss(x, x, mask=torch.ones(2, 3)),
    ):
        with pytest.raises(TypeError, match=r"mask must be a boolean tensor.*; got torch.float32"):
            call()


@pytest.mark.parametrize("name", [*MASKED, "bce_with_logits_loss", "bce_from_probs", "binary_focal_loss"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_a_mask_of_one_channel_is_for_all_channels(name: str, reduction: Any) -> None:
    loss: Callable[..., Tensor] = getattr(losses, name)
    x, y, mask = torch.rand(2, 3, 4, 5), torch.rand(2, 3, 4, 5), torch.rand(2, 1, 4, 5) > 0.5
    expected = loss(x, y, mask=mask.expand_as(x), reduction=reduction)
    assert_close(loss(x, y, mask=mask, reduction=reduction), expected)
    with pytest.raises(ValueError, match=r"mask .* \(2, 3, 4, 5\),.*\(2, 1, 4, 1\)"):
        loss(x, y, mask=mask[..., :1])
    with pytest.raises(ValueError, match=r"mask .* \(2, 3, 4, 5\),.*\(2, 4, 5\)"):
        loss(x, y, mask=mask[:, 0])
