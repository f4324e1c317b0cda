"""Losses of boxes against torchvision."""

import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou, generalized_box_iou, generalized_box_iou_loss

import losses
from tests.losses.peers.agreement import assert_agree


def boxes() -> Tensor:
    corner = 10 * torch.rand(20, 2, dtype=torch.float64)
    return torch.cat([corner, corner + 0.5 + 10 * torch.rand(20, 2, dtype=torch.float64)], 1)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_giou_of_torchvision(reduction: str) -> None:
    """Torchvision adds 1e-7 to the areas that it divides by."""
    assert_agree(
        lambda x, y: losses.giou_loss(x, y, reduction=reduction),
        lambda x, y: generalized_box_iou_loss(x, y, reduction=reduction),
        boxes().requires_grad_(),
        boxes(),
        rtol=1e-6,
        atol=1e-6,
    )


def test_giou_and_iou_are_the_diagonals_of_torchvisions_tables() -> None:
    assert_agree(
        lambda x, y: losses.giou_loss(x, y, reduction="none"),
        lambda x, y: 1 - generalized_box_iou(x, y).diagonal(),
        boxes().requires_grad_(),
        boxes(),
    )
    input, target = boxes().requires_grad_(), boxes()
    assert_agree(
        lambda x, y: losses.iou_loss(x, y, reduction="none"), lambda x, y: 1 - box_iou(x, y).diagonal(), input, target
    )
    assert_agree(
        lambda x, y: losses.iou_loss(x, y, mode="log", reduction="none"),
        lambda x, y: -box_iou(x, y).diagonal().clamp_min(1e-6).log(),
        input,
        target,
    )


def test_inverted_boxes() -> None:
    """In torchvision a box far away gets cheaper when it is inverted: a way out that ours closes."""
    target, far = torch.tensor([[10.0, 10.0, 50.0, 50.0]]), torch.tensor([[60.0, 60.0, 100.0, 100.0]])
    inverted = far[:, [2, 3, 0, 1]]
    cost = generalized_box_iou_loss(far, target).item()
    assert generalized_box_iou_loss(inverted, target).item() < 1 < cost
    for box in far, inverted:
        assert losses.giou_loss(box, target).item() == pytest.approx(cost)


def test_a_tiny_box_that_is_exact() -> None:
    """Torchvision's eps is an area, and does not grow smaller with the boxes."""
    box = torch.tensor([[0.5, 0.5, 0.5001, 0.5001]])
    assert generalized_box_iou_loss(box, box) > 0.9
    assert losses.giou_loss(box, box) == 0
    point = torch.tensor([[0.5, 0.5, 0.5, 0.5]])
    assert generalized_box_iou_loss(point, point) == 1
    assert losses.giou_loss(point, point) == losses.iou_loss(point, point) == 0
