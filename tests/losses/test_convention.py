import pytest
import torch
from torch.testing import assert_close

import losses
from losses.convention import as_weights, at_least_float32, check_number, full_precision, power, ratio, reduce


def test_half_becomes_float32_and_the_rest_stays() -> None:
    dtypes = [at_least_float32(torch.zeros(1, dtype=getattr(torch, n))).dtype for n in ("float16", "bfloat16")]
    assert dtypes == [torch.float32, torch.float32]
    assert at_least_float32(torch.zeros(1)).dtype == torch.float32
    assert at_least_float32(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


def test_full_precision_switches_autocast_off_and_widens_tensors_given_by_name() -> None:
    @full_precision
    def product(a: torch.Tensor, *, b: torch.Tensor) -> torch.Tensor:
        return a @ b

    a, b = torch.randn(3, 3), torch.randn(3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_close(product(a, b=b), a.double().matmul(b.double()).float(), rtol=1e-5, atol=1e-6)
    assert product(a.half(), b=b.bfloat16()).dtype == torch.float32


def test_means_divide_by_what_counts() -> None:
    values = torch.tensor([1.0, 0.0, 5.0])
    assert reduce(values, "mean") == 2
    assert reduce(values, "mean", weight=torch.tensor([True, False, True])) == 3
    assert reduce(values, "mean", weight=torch.tensor([0.1, 0.0, 0.4])) == 12  # a sum of weights below 1 divides, too
    assert reduce(values, "sum", weight=torch.tensor([True, False, True])) == 6


def test_roots_have_the_gradient_zero_at_zero() -> None:
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    power(x, 0.5).sum().backward()
    assert_close(x.grad, torch.tensor([0.0, 0.25]))


def test_a_ratio_without_a_whole() -> None:
    part, whole = torch.tensor([1e-30, 0.0], requires_grad=True), torch.tensor([4e-30, 0.0])
    result = ratio(part, whole, otherwise=1)
    assert_close(result, torch.tensor([0.25, 1.0]))
    result.sum().backward()
    assert part.grad is not None
    assert part.grad.isfinite().all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.5])
def test_numbers_out_of_range_are_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match="alpha must be a finite number at least 0 and at most 1; got"):
        check_number("alpha", value, at_least=0, at_most=1)


@pytest.mark.parametrize("weights", [[], [1.0, -1.0], [float("nan")], torch.ones(2, 2)])
def test_weights_that_are_none_are_refused(weights: list[float] | torch.Tensor) -> None:
    with pytest.raises(ValueError, match="alpha must hold one finite weight >= 0 per class"):
        as_weights("alpha", weights)


def test_weights_are_a_copy_that_no_optimizer_reaches() -> None:
    mine = torch.ones(3, requires_grad=True)
    loss = losses.FocalLoss(alpha=mine)
    assert loss.alpha is not None
    assert not loss.alpha.requires_grad
    with torch.no_grad():
        mine.zero_()
    assert loss.alpha.tolist() == [1, 1, 1]


BAD_OPTIONS = [
    ("HuberLoss", {"delta": 0}, "delta must be a finite number above 0; got 0"),
    ("SmoothL1Loss", {"beta": -1}, "beta must be a finite number at least 0; got -1"),
    ("AsymmetricMSELoss", {"over_penalty": -1}, "over_penalty must"),
    ("AsymmetricMSELoss", {"under_penalty": float("nan")}, "under_penalty must"),
    ("GaussianNLLLoss", {"eps": 0}, "eps must"),
    ("CrossEntropyLoss", {"label_smoothing": 1.1}, "label_smoothing must"),
    ("CrossEntropyLoss", {"weight": [1.0, -1.0]}, "weight must hold one finite weight >= 0 per class"),
    ("FocalLoss", {"gamma": -0.5}, "gamma must be a finite number at least 0; got -0.5"),
    ("FocalLoss", {"alpha": []}, "alpha must"),
    ("BinaryFocalLoss", {"gamma": -1}, "gamma must"),
    ("BinaryFocalLoss", {"alpha": 1.5}, "alpha must be a finite number at least 0 and at most 1; got 1.5"),
    ("BinaryFocalLoss", {"normalizer": "negatives"}, "normalizer must be one of elements, positives; got 'negatives'"),
    ("BCEWithLogitsLoss", {"pos_weight": [-1.0]}, "pos_weight must"),
    ("MultiLabelLoss", {"labels": "max"}, "labels must be one of mean, sum; got 'max'"),
    ("KLDivWithLogitsLoss", {"temperature": 0}, "temperature must be a finite number above 0; got 0"),
    ("ContrastiveLoss", {"margin": 0}, "margin must be a finite number above 0; got 0"),
    ("TripletLoss", {"margin": -1}, "margin must"),
    ("OnlineTripletLoss", {"margin": 0}, "margin must"),
    ("OnlineTripletLoss", {"mining": "hard"}, "mining must be one of batch_hard, semi_hard, semi_hard_all, batch_all"),
    ("OnlineTripletLoss", {"mining": "batch_all", "soft_margin": True}, "soft_margin is for mining batch_hard"),
    ("InfoNCELoss", {"temperature": 0}, "temperature must"),
    ("NTXentLoss", {"temperature": -0.1}, "temperature must"),
    ("DiceLoss", {"smooth": -1}, "smooth must"),
    ("DiceLoss", {"absent": "ignore"}, "absent must be one of keep, skip, zero; got 'ignore'"),
    ("CharbonnierLoss", {"eps": 0}, "eps must be a finite number above 0; got 0"),
    ("SILogLoss", {"variance_focus": 1.5}, "variance_focus must"),
    ("SILogLoss", {"eps": 0}, "eps must"),
    ("BerHuLoss", {"fraction": 0}, "fraction must"),
    ("BerHuLoss", {"threshold": 0.0}, "threshold must"),
    ("GradientMatchingLoss", {"scales": 0}, "scales must"),
    ("LovaszLoss", {"absent": "never"}, "absent must"),
    ("GeneralizedDiceLoss", {"absent": "zero"}, "absent must be one of keep, skip"),
    ("GeneralizedDiceLoss", {"smooth": -1}, "smooth must"),
    ("FocalFrequencyLoss", {"alpha": -1}, "alpha must be a finite number at least 0; got -1"),
    ("LeCamPenalty", {"decay": 1.5}, "decay must be a finite number at least 0 and at most 1; got 1.5"),
    ("ShiftTolerantL1Loss", {"max_shift": -1}, "max_shift must be a finite number at least 0; got -1"),
    ("SSIMLoss", {"input_range": (1, 0)}, r"input_range must be two numbers, .* got \(1, 0\)"),
    ("MSSSIMLoss", {"input_range": (0, 0)}, "input_range must be two numbers"),
    ("MSSSIMLoss", {"scale_weights": []}, "scale_weights must hold one weight per scale, at least one; got none"),
    ("MSSSIMLoss", {"scale_weights": [0.5, 0]}, "scale_weights must be a finite number above 0; got 0"),
    ("TverskyLoss", {"alpha": -1}, "alpha must"),
    ("TverskyLoss", {"beta": -1}, "beta must"),
    ("TverskyLoss", {"gamma": 0}, "gamma must"),
    ("CrossEntropyDiceLoss", {"dice_weight": -1}, "dice_weight must"),
    ("CrossEntropyDiceLoss", {"cross_entropy_weight": -1}, "cross_entropy_weight must"),
    ("CrossEntropyDiceLoss", {"absent": "drop"}, "absent must"),
    ("IoULoss", {"mode": "giou"}, "mode must be one of linear, log; got 'giou'"),
    ("VAELoss", {"likelihood": "bce"}, "likelihood must be one of bernoulli, gaussian, mse; got 'bce'"),
    ("VAELoss", {"beta": -1}, "beta must"),
    ("VAELoss", {"free_bits": -1}, "free_bits must"),
]


@pytest.mark.parametrize(("name", "options", "message"), BAD_OPTIONS)
def test_modules_refuse_bad_options_when_they_are_made(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(losses, name)(**options)
