import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from losses import TotalVariationLoss, total_variation_loss


def test_by_hand() -> None:
    """Three differences down, of 2, -3 and 0, and four to the right, of 1, 4, -4 and 7."""
    picture = torch.tensor([[[[0.0, 1.0, 5.0], [2.0, -2.0, 5.0]]]], requires_grad=True)
    loss = TotalVariationLoss()(picture)
    assert_close(loss, torch.tensor((2 + 3 + 0) / 3 + (1 + 4 + 4 + 7) / 4))
    loss.backward()
    right = torch.tensor([[-1.0, 0.0, 1.0], [1.0, -2.0, 1.0]]) / 4
    down = torch.tensor([[-1.0, 1.0, 0.0], [1.0, -1.0, 0.0]]) / 3
    assert picture.grad is not None
    assert_close(picture.grad[0, 0], right + down)


@given(st.integers(0, 100), st.integers(2, 6), st.integers(2, 6), st.floats(0, 10), st.floats(-10, 10))
def test_by_definition_and_blind_to_an_offset(seed: int, height: int, width: int, scale: float, offset: float) -> None:
    u = np.random.default_rng(seed).standard_normal((2, 3, height, width))
    expected = np.abs(np.diff(u, axis=2)).mean((1, 2, 3)) + np.abs(np.diff(u, axis=3)).mean((1, 2, 3))
    loss = total_variation_loss(torch.from_numpy(u), reduction="none")
    assert_close(loss, torch.from_numpy(expected))
    assert_close(total_variation_loss(torch.from_numpy(scale * u + offset), reduction="none"), scale * loss)


def test_an_edge_costs_as_much_as_a_slope() -> None:
    edge, slope = torch.tensor([0.0, 0.0, 0.0, 3.0]), torch.tensor([0.0, 1.0, 2.0, 3.0])
    assert total_variation_loss(edge.view(1, 1, 4)) == total_variation_loss(slope.view(1, 1, 4)) == 1


def test_sides_of_one_pixel_add_nothing() -> None:
    assert total_variation_loss(torch.ones(2, 3, 1, 1)) == 0
    assert_close(total_variation_loss(torch.tensor([[[1.0], [4.0]]])), torch.tensor(3.0))


def test_a_single_row_is_no_batch_of_pictures() -> None:
    with pytest.raises(ValueError, match=r"input must have the shape N x ... x H x W; got \(4, 4\)"):
        total_variation_loss(torch.zeros(4, 4))
