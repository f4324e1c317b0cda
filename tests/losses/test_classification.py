import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from losses import (
    FocalLoss,
    cross_entropy_loss,
    focal_loss,
    kl_div_with_logits_loss,
    probability_l1_loss,
)

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0]])
TARGET = torch.tensor([0, 2])


def probability_of_truth(logits: Tensor = LOGITS, target: Tensor = TARGET) -> Tensor:
    exponentials = logits.exp()
    return exponentials.gather(1, target[:, None]).squeeze(1) / exponentials.sum(1)


def test_cross_entropy_by_hand() -> None:
    p = probability_of_truth()
    assert_close(cross_entropy_loss(LOGITS, TARGET, reduction="none"), -p.log())
    weight = torch.tensor([1.0, 5.0, 3.0])
    weighted = (-p[0].log() - 3 * p[1].log()) / 4
    assert_close(cross_entropy_loss(LOGITS, TARGET, weight=weight), weighted)


def test_label_smoothing_spreads_epsilon_over_all_classes() -> None:
    """epsilon / K for each, the true one too (not epsilon / (K - 1) for the others)."""
    target = torch.full((2, 3), 0.1 / 3).scatter(1, TARGET[:, None], 0.9 + 0.1 / 3)
    expected = -(target * LOGITS.log_softmax(1)).sum(1).mean()
    assert_close(cross_entropy_loss(LOGITS, TARGET, label_smoothing=0.1), expected)


def test_ignored_pixels_are_not_in_the_mean() -> None:
    logits, target = torch.randn(2, 3, 4, 4), torch.randint(3, (2, 4, 4))
    target[:, 2:] = -100
    for loss in cross_entropy_loss, focal_loss, probability_l1_loss:
        kept = loss(logits[:, :, :2].reshape(2, 3, -1), target[:, :2].reshape(2, -1))
        assert_close(loss(logits, target), kept)
        assert_close(loss(logits, torch.where(target < 0, 255, target), ignore_index=255), kept)


def test_an_ignored_pixel_may_have_any_logit() -> None:
    logits = torch.tensor([[0.0, 1.0], [float("inf"), float("nan")]], requires_grad=True)
    target = torch.tensor([0, -100])
    value = cross_entropy_loss(logits, target)
    assert_close(value, F.cross_entropy(logits[:1], target[:1]))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_classes_may_be_of_any_integer_type(dtype: torch.dtype) -> None:
    for loss in cross_entropy_loss, focal_loss, probability_l1_loss:
        assert_close(loss(LOGITS, TARGET.to(dtype)), loss(LOGITS, TARGET))


def test_classes_out_of_range_are_refused() -> None:
    for loss in cross_entropy_loss, focal_loss, probability_l1_loss:
        with pytest.raises(ValueError, match="target must hold classes from 0 to 2, or -100 to ignore; got 3"):
            loss(LOGITS, torch.tensor([0, 3]))
        with pytest.raises(ValueError, match="or 255 to ignore; got -1"):
            loss(LOGITS, torch.tensor([255, -1]), ignore_index=255)
        with pytest.raises((RuntimeError, IndexError)):  # torch's own, which on a GPU would be an assertion
            loss(LOGITS, torch.tensor([0, 3]), validate=False)


def test_weights_of_the_wrong_length_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"alpha must be a tensor of one weight per class .* \(2, 3\); got the shape \(2,\)"
    ):
        FocalLoss(alpha=[1, 2])(LOGITS, TARGET)
    with pytest.raises(ValueError, match="weight must be a tensor of one weight per class"):
        cross_entropy_loss(LOGITS, TARGET, weight=torch.ones(4))


def test_float_targets_that_are_no_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match="target must hold integers, the classes"):
        focal_loss(LOGITS, TARGET.float())
    with pytest.raises(ValueError, match="input and target probabilities must have the same shape"):
        cross_entropy_loss(LOGITS, TARGET.float())


@given(st.floats(0, 6), st.lists(st.floats(-20, 20), min_size=3, max_size=3), st.integers(0, 2))
def test_focal_loss_is_its_formula(gamma: float, logits: list[float], target: int) -> None:
    x, t = torch.tensor([logits], dtype=torch.float64), torch.tensor([target])
    p = x.softmax(1)[0, target]
    alpha = torch.tensor([0.2, 1.0, 3.0], dtype=torch.float64)
    assert_close(
        focal_loss(x, t, gamma=gamma, alpha=alpha), -alpha[target] * (1 - p) ** gamma * p.log(), atol=1e-12, rtol=1e-6
    )


def test_focal_loss_with_gamma_zero_is_cross_entropy() -> None:
    logits, target = torch.randn(5, 4), torch.tensor([0, 3, 1, 1, 2])
    assert_close(focal_loss(logits, target, gamma=0.0), F.cross_entropy(logits, target))


def test_the_focal_mean_is_over_elements_and_not_over_alpha() -> None:
    alpha = torch.tensor([2.0, 1.0, 4.0])
    each = focal_loss(LOGITS, TARGET, alpha=alpha, reduction="none")
    assert_close(focal_loss(LOGITS, TARGET, alpha=alpha), each.sum() / 2)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_a_certain_and_right_prediction_has_a_finite_gradient(gamma: float) -> None:
    x = torch.tensor([[200.0, 0.0]], requires_grad=True)
    focal_loss(x, torch.tensor([0]), gamma=gamma).backward()
    assert x.grad is not None
    assert (x.grad == 0).all()


def test_chance_costs_what_the_docstring_says() -> None:
    logits, target = torch.zeros(4, 10), torch.arange(4)
    assert cross_entropy_loss(logits, target).item() == pytest.approx(math.log(10))
    assert focal_loss(logits, target, gamma=2).item() == pytest.approx(0.9**2 * math.log(10))
    assert probability_l1_loss(logits, target).item() == pytest.approx(1.8)


def test_kl_by_hand_and_in_the_right_direction() -> None:
    p, q = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.5, 0.5]])
    expected = 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)  # the target's probabilities weight the logarithms
    assert kl_div_with_logits_loss(p.log(), q.log()).item() == pytest.approx(expected)


@given(st.floats(0.5, 20))
def test_rescaled_kl_keeps_the_size_of_its_gradient(temperature: float) -> None:
    """For logits near each other the gradient times T^2 is (p - q) T / ..., whose limit does not depend on T."""
    student = torch.tensor([[0.01, -0.03, 0.0]], dtype=torch.float64, requires_grad=True)
    teacher = torch.zeros(1, 3, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(kl_div_with_logits_loss(student, teacher, temperature=temperature), student)
    (at_one,) = torch.autograd.grad(kl_div_with_logits_loss(student, teacher), student)
    assert_close(gradient, at_one, rtol=2e-2, atol=1e-6)
    plain = kl_div_with_logits_loss(student, teacher, temperature=temperature, rescale=False)
    assert_close(plain * temperature**2, kl_div_with_logits_loss(student, teacher, temperature=temperature))


def test_kl_with_a_target_that_underflows_has_finite_gradients_on_both_sides() -> None:
    x = torch.tensor([[0.0, 1.0]], requires_grad=True)
    y = torch.tensor([[2000.0, -2000.0]], requires_grad=True)
    kl_div_with_logits_loss(x, y).backward()
    for tensor in x, y:
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()


def test_probability_l1_is_the_distance_to_the_one_hot_label() -> None:
    one_hot = F.one_hot(TARGET, 3)
    expected = (LOGITS.softmax(1) - one_hot).abs().sum(1)
    assert_close(probability_l1_loss(LOGITS, TARGET, reduction="none"), expected)


def test_probability_l1_is_robust_to_symmetric_label_noise() -> None:
    """Ghosh et al. 2017: summed over all labels it is the constant 2 (C - 1), so that noise shifts it evenly."""
    logits = torch.randn(1, 5)
    total = sum(probability_l1_loss(logits, torch.tensor([label])) for label in range(5))
    assert_close(total, torch.tensor(8.0))
