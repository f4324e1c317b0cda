import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from losses import ShiftTolerantL1Loss, l1_loss, shift_tolerant_l1_loss

MAX_SHIFT = 2
shifts = st.integers(-MAX_SHIFT, MAX_SHIFT)


def window(scene: Tensor, down: int = 0, right: int = 0) -> Tensor:
    """A camera that looks at a part of a scene, moved by a shift."""
    height, width = (side - 2 * MAX_SHIFT for side in scene.shape[-2:])
    return scene[..., MAX_SHIFT + down :, MAX_SHIFT + right :][..., :height, :width]


def scenes(count: int = 3) -> Tensor:
    return torch.rand(count, 2, 11, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@given(st.lists(st.tuples(shifts, shifts), min_size=1, max_size=4))
def test_a_shifted_truth_costs_nothing(moves: list[tuple[int, int]]) -> None:
    all_scenes = scenes(len(moves))
    target = torch.stack([window(scene, *move) for scene, move in zip(all_scenes, moves, strict=True)])
    each = shift_tolerant_l1_loss(window(all_scenes), target, max_shift=MAX_SHIFT, reduction="none")
    assert_close(each, torch.zeros_like(each))


@given(shifts, shifts, st.booleans())
def test_every_shift_by_hand(down: int, right: int, sparse: bool) -> None:
    """The minimum over all overlaps, written with loops over the pixels of one picture."""
    input, target = window(scenes(1)), window(scenes(2)[1:], down, right) + 0.1
    known = torch.ones_like(target, dtype=torch.bool)
    if sparse:
        known[..., ::2, ::3] = False
    height, width = input.shape[-2:]
    means = []
    for u in range(-MAX_SHIFT, MAX_SHIFT + 1):
        for v in range(-MAX_SHIFT, MAX_SHIFT + 1):
            errors = [
                (input[0, channel, y, x] - target[0, channel, y + u, x + v]).abs().item()
                for channel in range(2)
                for y in range(max(0, -u), min(height, height - u))
                for x in range(max(0, -v), min(width, width - v))
                if known[0, channel, y + u, x + v]
            ]
            means.append(sum(errors) / len(errors))
    loss = shift_tolerant_l1_loss(input, target, max_shift=MAX_SHIFT, mask=known)
    assert loss.item() == pytest.approx(min(means), rel=1e-12)


def test_no_shift_is_l1_of_each_picture() -> None:
    input, target = window(scenes()), window(scenes().flip(0))
    each = ShiftTolerantL1Loss(max_shift=0, reduction="none")(input, target)
    assert_close(each, torch.stack([l1_loss(a, b) for a, b in zip(input, target, strict=True)]))


def test_the_gradient_is_that_of_l1_at_the_best_shift() -> None:
    scene = scenes(1)
    input = window(scene).clone().requires_grad_()
    (gradient,) = torch.autograd.grad(shift_tolerant_l1_loss(input, window(scene, 2, -1) - 0.01), input)
    height, width = input.shape[-2:]
    expected = torch.zeros_like(input)  # what is at y of the input is at y - 2 of the target: its first rows are alone
    expected[..., 2:, : width - 1] = 1 / (2 * (height - 2) * (width - 1))
    assert_close(gradient, expected)


def test_the_smallest_of_equal_shifts_is_taken() -> None:
    """Stripes fit at every second shift: only at 0 do all pixels count."""
    stripes = (torch.arange(8) % 2).expand(1, 1, 8, 8).double()
    input = (stripes + 0.125).requires_grad_()
    (gradient,) = torch.autograd.grad(shift_tolerant_l1_loss(input, stripes, max_shift=2), input)
    assert_close(gradient, torch.full_like(gradient, 1 / 64))


def test_a_shift_that_leaves_nothing_is_not_taken() -> None:
    input = torch.zeros(1, 1, 4, 4)
    target, known = torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    known[..., 0, 0] = True  # two rows up it would be out of the picture, and the error that of no pixel
    assert shift_tolerant_l1_loss(input, target, mask=known).item() == 1


def test_what_is_unknown_may_be_nan() -> None:
    scene = scenes(1)
    input, target = window(scene).clone().requires_grad_(), window(scene, 1, 1).clone()
    target[..., 3, :] = torch.nan
    loss = shift_tolerant_l1_loss(input, target, mask=target.isfinite())
    loss.backward()
    assert loss.item() == 0
    assert input.grad is not None
    assert input.grad.isfinite().all()
