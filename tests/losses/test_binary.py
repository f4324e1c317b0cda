import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

from losses import BCEFromProbs, bce_from_probs, bce_with_logits_loss, binary_focal_loss, multi_label_loss


def test_bce_by_hand() -> None:
    x, y = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0])
    each = torch.tensor([math.log(2), math.log1p(math.exp(2))])
    assert_close(bce_with_logits_loss(x, y, reduction="none"), each)
    assert_close(bce_from_probs(x.sigmoid(), y, reduction="none"), each)
    assert_close(bce_with_logits_loss(x, y, pos_weight=torch.tensor(3.0)), (3 * each[0] + each[1]) / 2)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float16])
def test_targets_may_be_of_any_type(dtype: torch.dtype) -> None:
    x, y = torch.randn(4, 3), torch.randint(2, (4, 3))
    for loss in bce_with_logits_loss, binary_focal_loss, multi_label_loss:
        assert_close(loss(x, y.to(dtype)), loss(x, y.float()))
    assert_close(bce_from_probs(x.sigmoid(), y.to(dtype)), bce_from_probs(x.sigmoid(), y.float()))


def test_bce_from_probs_runs_where_torchs_is_refused_and_keeps_its_cap() -> None:
    loss, p = BCEFromProbs(), torch.tensor([0.0], requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(p, torch.ones(1))
    value.backward()
    assert value == 100
    assert p.grad is not None
    assert p.grad.isfinite().all()


def test_logits_given_as_probabilities_are_told_what_they_are() -> None:
    with pytest.raises(
        ValueError, match=r"input must be in \[0, 1\].*got -1 to 2. For logits use bce_with_logits_loss"
    ):
        bce_from_probs(torch.tensor([-1.0, 2.0]), torch.zeros(2))


@pytest.mark.parametrize("loss", [bce_with_logits_loss, binary_focal_loss, bce_from_probs])
def test_targets_out_of_range_are_refused_unless_told_not_to_look(loss: object) -> None:
    assert callable(loss)
    x, y = torch.full((2,), 0.5), torch.tensor([0.0, 255.0])
    with pytest.raises(ValueError, match=r"target must be in \[0, 1\], a probability; got 0 to 255"):
        loss(x, y)
    with pytest.raises(ValueError, match="target must be"):
        loss(x, torch.tensor([0.0, float("nan")]))
    loss(x, torch.tensor([0.0, 1.0]), validate=False)


@pytest.mark.parametrize("loss", [bce_with_logits_loss, binary_focal_loss, bce_from_probs])
def test_unknown_labels_do_not_count_whatever_they_hold(loss: object) -> None:
    assert callable(loss)
    x = torch.tensor([0.2, 0.7, 0.4], requires_grad=True)
    y, mask = torch.tensor([0.0, float("nan"), 1.0]), torch.tensor([True, False, True])
    value = loss(x, y, mask=mask)
    assert_close(value, loss(x[[0, 2]], y[[0, 2]]))
    value.backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    with pytest.raises(ValueError, match="mask must have the shape of input, "):
        loss(x, y, mask=mask[:1])


@given(st.floats(-30, 30), st.floats(0, 5), st.floats(0, 1), st.booleans())
def test_binary_focal_loss_is_its_formula(logit: float, gamma: float, alpha: float, positive: bool) -> None:
    x, y = torch.tensor([logit], dtype=torch.float64), torch.tensor([float(positive)], dtype=torch.float64)
    p = x.sigmoid() if positive else (-x).sigmoid()
    alpha_t = alpha if positive else 1 - alpha
    expected = -alpha_t * (1 - p) ** gamma * p.log()
    assert_close(binary_focal_loss(x, y, gamma=gamma, alpha=alpha), expected[0], rtol=1e-6, atol=1e-12)


def test_alpha_weights_the_positives() -> None:
    x = torch.zeros(2)
    each = binary_focal_loss(x, torch.tensor([1.0, 0.0]), alpha=0.25, reduction="none")
    assert_close(each, torch.tensor([0.25, 0.75]) * 0.25 * math.log(2))


def test_the_normalizer_of_positives() -> None:
    x, y = torch.randn(4, 5), torch.zeros(4, 5)
    y[0, 0] = y[2, 3] = 1
    total = binary_focal_loss(x, y, reduction="sum")
    assert_close(binary_focal_loss(x, y, normalizer="positives"), total / 2)
    nothing = torch.zeros_like(y)
    assert_close(binary_focal_loss(x, nothing, normalizer="positives"), binary_focal_loss(x, nothing, reduction="sum"))
    mask = torch.ones_like(y, dtype=torch.bool)
    mask[0] = False
    masked = binary_focal_loss(x, y, normalizer="positives", mask=mask)
    assert_close(masked, binary_focal_loss(x[1:], y[1:], reduction="sum"))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
def test_a_certain_and_right_prediction_has_a_finite_gradient(gamma: float) -> None:
    x = torch.tensor([200.0, -200.0], requires_grad=True)
    binary_focal_loss(x, torch.tensor([1.0, 0.0]), gamma=gamma).backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_multi_label_is_a_mean_or_a_sum_over_a_samples_labels() -> None:
    x, y = torch.randn(4, 3), torch.randint(2, (4, 3)).float()
    each = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    assert_close(multi_label_loss(x, y), each.mean())
    assert_close(multi_label_loss(x, y, labels="sum"), each.sum(1).mean())
    assert_close(multi_label_loss(x, y, reduction="none"), each.mean(1))


def test_multi_label_means_are_over_known_labels_and_samples_that_have_one() -> None:
    x, y = torch.randn(3, 2), torch.randint(2, (3, 2)).float()
    mask = torch.tensor([[True, True], [True, False], [False, False]])
    each = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    assert_close(multi_label_loss(x, y, mask=mask), (each[0].mean() + each[1, 0]) / 2)


@pytest.mark.parametrize("loss", [bce_with_logits_loss, multi_label_loss])
def test_positive_weights_of_the_wrong_length_are_refused(loss: object) -> None:
    assert callable(loss)
    x, y = torch.zeros(4, 3), torch.zeros(4, 3)
    with pytest.raises(ValueError, match=r"pos_weight must be one number.* \(4, 3\); got the shape \(2,\)"):
        loss(x, y, pos_weight=torch.ones(2))
    loss(x, y, pos_weight=torch.ones(1))


def test_multi_label_wants_two_dimensions() -> None:
    with pytest.raises(ValueError, match=r"input must have the shape N x L; got \(3,\)"):
        multi_label_loss(torch.zeros(3), torch.zeros(3))
