import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from losses import giou_loss, iou_loss

TARGET = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
coordinate = st.floats(-100, 100)


def box(*corners: float) -> Tensor:
    return torch.tensor([corners], dtype=torch.float64)


def test_by_hand() -> None:
    """A shift by half: intersection 2, union 6, hull 6; and one apart: hull 10 around 8."""
    assert iou_loss(torch.tensor([[1.0, 0.0, 3.0, 2.0]]), TARGET).item() == pytest.approx(1 - 2 / 6)
    assert iou_loss(torch.tensor([[1.0, 0.0, 3.0, 2.0]]), TARGET, mode="log").item() == pytest.approx(math.log(3))
    assert giou_loss(torch.tensor([[1.0, 0.0, 3.0, 2.0]]), TARGET).item() == pytest.approx(1 - 2 / 6)
    assert giou_loss(torch.tensor([[3.0, 0.0, 5.0, 2.0]]), TARGET).item() == pytest.approx(1 + 2 / 10)


def test_boxes_apart() -> None:
    far = torch.tensor([[10.0, 10.0, 11.0, 11.0]], requires_grad=True)
    assert iou_loss(far, TARGET) == 1
    assert iou_loss(far, TARGET, mode="log").item() == pytest.approx(-math.log(1e-6))
    giou_loss(far, TARGET).backward()
    assert far.grad is not None
    assert (far.grad[0, :2] > 0).all()  # descent moves the near corner towards the target


@given(coordinate, coordinate, st.floats(1e-6, 100), st.floats(1e-6, 100), st.floats(1e-6, 1e6))
def test_neither_size_nor_unit_matters(x: float, y: float, width: float, height: float, unit: float) -> None:
    a, b = box(x, y, x + width, y + height), box(0, 0, 3, 5)
    for loss in iou_loss, giou_loss:
        assert_close(loss(a * unit, b * unit), loss(a, b), rtol=1e-6, atol=1e-6)
        assert loss(a, a) < 1e-6


@given(st.tuples(coordinate, coordinate, coordinate, coordinate), st.tuples(coordinate, coordinate))
def test_ranges_and_corners_in_any_order(corners: tuple[float, float, float, float], size: tuple[float, float]) -> None:
    x1, y1, x2, y2 = corners
    assume(abs(x1 - x2) > 1e-3 and abs(y1 - y2) > 1e-3)
    target = box(0, 0, abs(size[0]), abs(size[1]))
    for loss, most in (iou_loss, 1), (giou_loss, 2):
        value = loss(box(x1, y1, x2, y2), target)
        assert -1e-9 <= value <= most
        assert_close(loss(box(x2, y2, x1, y1), target), value)
        assert_close(loss(box(x2, y1, x1, y2), target), value)


def test_an_inverted_box_is_no_way_out() -> None:
    """With negative areas it would have the loss 0, a perfect fit."""
    assert giou_loss(torch.tensor([[50.0, 50.0, 10.0, 10.0]]), torch.tensor([[0.0, 0.0, 1.0, 1.0]])) > 1


@pytest.mark.parametrize("side", [1e-3, 1e-4, 1e-12])
def test_equal_boxes_cost_nothing_however_small(side: float) -> None:
    small = torch.tensor([[0.5, 0.5, 0.5 + side, 0.5 + side]])
    for loss in iou_loss, giou_loss:
        assert loss(small, small) == 0


def test_boxes_without_area() -> None:
    point, other = torch.tensor([[1.0, 1.0, 1.0, 1.0]]), torch.tensor([[2.0, 1.0, 2.0, 1.0]])
    line = torch.tensor([[0.0, 1.0, 2.0, 1.0]])
    for loss in iou_loss, giou_loss:
        for equal in point, line:
            predicted = equal.clone().requires_grad_()
            value = loss(predicted, equal)
            value.backward()
            assert value == 0
            assert predicted.grad is not None
            assert predicted.grad.isfinite().all()
        assert loss(point, other) == 1


def test_half_precision_boxes_of_pictures() -> None:
    """300 x 300 pixels are 90,000, beyond float16."""
    a, b = torch.tensor([[0.0, 0.0, 300.0, 300.0]]), torch.tensor([[0.0, 0.0, 300.0, 150.0]])
    for loss in iou_loss, giou_loss:
        assert_close(loss(a.half(), b.half()), torch.tensor(0.5))


def test_any_number_of_leading_dimensions() -> None:
    predicted, target = torch.rand(2, 3, 4), torch.tensor([0.1, 0.1, 0.9, 0.9]).expand(2, 3, 4)
    assert iou_loss(predicted, target, reduction="none").shape == (2, 3)
    assert giou_loss(predicted[0, 0], target[0, 0]).shape == ()


def test_bad_boxes_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"target must have x1 <= x2 and y1 <= y2 in every box; got \[2.0, 0.0, 1.0, 1.0\]"
    ):
        giou_loss(TARGET, torch.tensor([[2.0, 0.0, 1.0, 1.0]]))
    giou_loss(TARGET, torch.tensor([[2.0, 0.0, 1.0, 1.0]]), validate=False)
    with pytest.raises(ValueError, match=r"input must have the shape ... x 4; got \(3, 5\)"):
        iou_loss(torch.zeros(3, 5), torch.zeros(3, 5))
