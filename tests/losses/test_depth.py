import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from losses import berhu_loss, gradient_matching_loss, l1_loss, mse_loss, silog_loss


def depths(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).exp()


def test_silog_by_hand() -> None:
    """Ratios of 2 and 1/8: logarithms a and -3a, of mean -a and mean square 5 a^2."""
    input, target, a = torch.tensor([[2.0, 1.0]]), torch.tensor([[1.0, 8.0]]), math.log(2)
    for focus in 0.0, 0.5, 0.85, 1.0:
        loss = silog_loss(input, target, variance_focus=focus)
        assert loss.item() == pytest.approx(5 * a**2 - focus * a**2)


@given(st.integers(0, 100), st.floats(0.01, 100))
def test_silog_does_not_see_the_scale_of_a_picture_at_1_and_is_eigens_sum_of_pairs(seed: int, scale: float) -> None:
    """Eigen et al., equation 2: 1/(2 n^2) sum_ij (d_i - d_j)^2."""
    input, target = depths(seed, 2, 1, 3, 4), depths(seed + 1, 2, 1, 3, 4)
    loss = silog_loss(input, target, variance_focus=1.0, eps=1e-9)
    assert_close(silog_loss(scale * input, target, variance_focus=1.0, eps=1e-9), loss)
    d = (input / target).log().flatten(1)
    pairs = (d.unsqueeze(1) - d.unsqueeze(2)).square().sum((1, 2)) / (2 * d.shape[1] ** 2)
    assert_close(loss, pairs.mean())
    assert_close(silog_loss(input, target, variance_focus=0.0), mse_loss(input.log(), target.log()))


def test_silog_is_over_each_sample_and_a_mean_over_those_with_a_known_pixel() -> None:
    input, target = depths(0, 3, 1, 2, 2), depths(1, 3, 1, 2, 2)
    mask = torch.ones_like(target, dtype=torch.bool)
    mask[0, 0, 0], mask[1] = False, False
    target[~mask] = 0.0
    each = silog_loss(input, target, mask=mask, reduction="none")
    assert_close(each[:1], silog_loss(input[:1, :, 1:], target[:1, :, 1:], reduction="none"))
    assert each[1] == 0
    assert_close(silog_loss(input, target, mask=mask), (each[0] + each[2]) / 2)


def test_predictions_of_0_and_below_cost_as_eps_and_can_grow_again() -> None:
    input = torch.tensor([[-1e6, 0.0, 1e-3, 1.0]], requires_grad=True)
    loss = silog_loss(input, torch.ones(1, 4), variance_focus=0.0, eps=1e-3)
    assert_close(loss, 3 * torch.tensor(1e-3).log().square() / 4)
    loss.backward()
    assert input.grad is not None
    assert_close(input.grad[0, :3], torch.full((3,), 2 * math.log(1e-3) / 1e-3 / 4))  # upward, as at eps
    assert input.grad[0, 3] == 0


def test_berhu_by_hand() -> None:
    """The largest error is 10: from 2 on squares count."""
    input = torch.tensor([0.5, -2.0, 4.0, -10.0], requires_grad=True)
    each = berhu_loss(input, torch.zeros(4), reduction="none")
    assert_close(each, torch.tensor([0.5, 2.0, (16 + 4) / 4, (100 + 4) / 4]))
    each.sum().backward()
    assert_close(input.grad, torch.tensor([1.0, -1.0, 4 / 2, -10 / 2]))  # of the last, not through the threshold
    assert_close(berhu_loss(input, torch.zeros(4), threshold=4.0, reduction="none")[3], torch.tensor(116 / 8))


@given(st.integers(0, 100))
def test_berhu_is_l1_from_the_whole_of_the_largest_error_on(seed: int) -> None:
    input, target = depths(seed, 3, 4), depths(seed + 1, 3, 4)
    assert_close(berhu_loss(input, target, fraction=1.0), l1_loss(input, target))
    assert (berhu_loss(input, target, reduction="none") >= l1_loss(input, target, reduction="none")).all()


def test_berhus_threshold_is_of_known_errors_and_a_perfect_fit_costs_nothing() -> None:
    input, target = torch.tensor([1.0, 5.0, 100.0], requires_grad=True), torch.tensor([0.0, 0.0, torch.nan])
    loss = berhu_loss(input, target, mask=target.isfinite())
    assert_close(loss, torch.tensor((1 + 26 / 2) / 2))
    berhu_loss(input, input.detach()).backward()
    assert input.grad is not None
    assert (input.grad == 0).all()


def by_loops(error: Tensor, known: Tensor, scales: int) -> float:
    """Of one map H x W."""
    total = 0.0
    for scale in range(scales):
        step = 2**scale
        rows, columns = range(0, error.shape[0], step), range(0, error.shape[1], step)
        pairs = [((i, j), (i, k)) for i in rows for j, k in pairwise(columns)]
        pairs += [((i, j), (k, j)) for j in columns for i, k in pairwise(rows)]
        differences = [abs(float(error[a] - error[b])) for a, b in pairs if known[a] and known[b]]
        total += sum(differences) / max(sum(bool(known[i, j]) for i in rows for j in columns), 1)
    return total


@given(st.integers(0, 100), st.integers(1, 5), st.integers(1, 7), st.integers(1, 9))
def test_gradient_matching_is_a_sum_over_neighbors(seed: int, scales: int, height: int, width: int) -> None:
    input, target = depths(seed, 2, 1, height, width), depths(seed + 1, 2, 1, height, width)
    known = depths(seed + 2, 2, 1, height, width) > 0.8
    target[~known] = torch.nan
    each = gradient_matching_loss(input, target, mask=known, scales=scales, reduction="none")
    expected = [by_loops((input - target)[i, 0], known[i, 0], scales) for i in range(2)]
    assert_close(each, torch.tensor(expected, dtype=torch.float64))
    count = max(int(known.flatten(1).any(1).sum()), 1)
    assert_close(gradient_matching_loss(input, target, mask=known, scales=scales), each.sum() / count)


def test_gradient_matching_is_blind_to_a_constant() -> None:
    target = depths(0, 2, 1, 8, 8)
    offset = torch.tensor([3.0, -5.0]).view(2, 1, 1, 1)
    assert_close(gradient_matching_loss(target + offset, target), torch.zeros((), dtype=torch.float64))
