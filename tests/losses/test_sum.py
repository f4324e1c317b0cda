import pytest
import torch
from torch.testing import assert_close

import losses
from losses import GradientMatchingLoss, L1Loss, MSELoss, SumLoss


def test_the_sum_of_weighted_terms() -> None:
    x, y, mask = torch.randn(2, 1, 6, 6), torch.randn(2, 1, 6, 6), torch.rand(2, 1, 6, 6) > 0.3
    loss = SumLoss({"l1": L1Loss(), "edges": GradientMatchingLoss(scales=2)}, weights={"edges": 0.25})
    expected = losses.l1_loss(x, y, mask=mask) + 0.25 * losses.gradient_matching_loss(x, y, mask=mask, scales=2)
    assert_close(loss(x, y, mask=mask), expected)
    assert loss.likelihood == "laplace"
    assert SumLoss({"mse": MSELoss(), "l1": L1Loss()}).likelihood == "gaussian"


def test_the_reduction_is_that_of_all_terms() -> None:
    x, y = torch.randn(4, 3), torch.randn(4, 3)
    loss = SumLoss({"l1": L1Loss(), "mse": MSELoss()}, reduction="none")
    assert_close(loss(x, y), (x - y).abs() + (x - y).square())
    maps = SumLoss({"l1": L1Loss(), "silog": losses.SILogLoss()}, reduction="none")
    with pytest.raises(ValueError, match=r"one shape to be added; got \(4, 3\) of l1, \(4,\) of silog"):
        maps(x.exp(), y.exp())


def test_terms_take_the_options_that_they_have() -> None:
    loss = SumLoss({"entropy": losses.CrossEntropyLoss(label_smoothing=0.1), "dice": losses.DiceLoss(smooth=2.0)})
    changed = loss.with_options(ignore_index=0, label_smoothing=0.2)
    entropy, dice = changed.options["terms"].values()
    assert (entropy.ignore_index, entropy.label_smoothing) == (0, 0.2)
    assert (dice.ignore_index, dice.smooth) == (0, 2.0)
    assert loss.options["terms"]["dice"].ignore_index == -100


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="terms must be one or more; got none"):
        SumLoss({})
    with pytest.raises(ValueError, match="weights must be of the terms l1; got l2"):
        SumLoss({"l1": L1Loss()}, weights={"l2": 1.0})
    with pytest.raises(ValueError, match="weights must be a finite number at least 0; got -1"):
        SumLoss({"l1": L1Loss()}, weights={"l1": -1.0})
    with pytest.raises(ValueError, match="the reduction of all terms is mean; got sum for l1"):
        SumLoss({"l1": L1Loss(reduction="sum")})
    with pytest.raises(TypeError, match="terms must be losses of this package; got L1Loss for l1"):
        SumLoss({"l1": torch.nn.L1Loss()})  # type: ignore[dict-item]
