import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from losses import online_triplet_loss

MININGS = ["batch_hard", "semi_hard", "semi_hard_all", "batch_all"]


def by_definition(
    embeddings: Tensor, labels: list[int], mining: str, margin: float, squared: bool, only_active: bool = True
) -> Tensor:
    """The mean over triplets that are found one by one."""

    def d(i: int, j: int) -> Tensor:
        distance = (embeddings[i] - embeddings[j]).square().sum()
        return distance if squared else distance.sqrt()

    chosen: list[tuple[Tensor, Tensor]] = []
    for a in range(len(labels)):
        positives = [d(a, p) for p in range(len(labels)) if p != a and labels[p] == labels[a]]
        negatives = [d(a, n) for n in range(len(labels)) if labels[n] != labels[a]]
        if not positives or not negatives:
            continue
        if mining == "batch_hard":
            chosen.append((max(positives), min(negatives)))
        elif mining == "semi_hard":
            for p in positives:
                farther = [n for n in negatives if n > p]
                chosen.append((p, min(farther) if farther else max(negatives)))
        else:
            chosen.extend(itertools.product(positives, negatives))
    if mining == "semi_hard_all":
        chosen = [(p, n) for p, n in chosen if p < n < p + margin]
    values = torch.stack([(p - n + margin).clamp_min(0) for p, n in chosen]) if chosen else torch.zeros(0)
    if mining == "batch_all" and only_active:
        values = values[values > 0]
    return values.mean() if len(values) else torch.zeros(())


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=9),
    st.sampled_from(MININGS),
    st.floats(0.1, 3),
    st.booleans(),
    st.booleans(),
    st.integers(0, 1000),
)
def test_every_mining_by_its_definition(
    labels: list[int], mining: Any, margin: float, squared: bool, only_active: bool, seed: int
) -> None:
    x = torch.randn(len(labels), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    value = online_triplet_loss(
        x, torch.tensor(labels), mining=mining, margin=margin, squared=squared, only_active=only_active
    )
    assert_close(value, by_definition(x, labels, mining, margin, squared, only_active).double())


@pytest.mark.parametrize(("mining", "each"), [("semi_hard", [0.5, 0.5, 2.5, 2.5]), ("semi_hard_all", [0.5, 0.5, 0, 0])])
def test_a_negative_as_far_as_the_positive_is_not_semi_hard(mining: Any, each: list[float]) -> None:
    """On a line: class 0 at 0 and 1, class 1 at -1 and 2, margin 1.5; all distances are exact.

    For the anchor 0 the positive is 1 away and the negatives 1 and 2: only the one at 2 is farther. For the anchor -1
    the positive is 3 away and no negative is farther: the farthest is 2 away.
    """
    x = torch.tensor([[0.0], [1.0], [-1.0], [2.0]])
    loss = online_triplet_loss(x, torch.tensor([0, 0, 1, 1]), mining=mining, margin=1.5, reduction="none")
    assert loss.tolist() == each


@pytest.mark.parametrize("mining", MININGS)
def test_gradients_are_those_of_the_definition(mining: Any) -> None:
    x = torch.randn(10, 4, dtype=torch.float64, requires_grad=True)
    labels = [0, 0, 0, 1, 1, 2, 2, 2, 2, 3]
    (ours,) = torch.autograd.grad(online_triplet_loss(x, torch.tensor(labels), mining=mining, margin=0.5), x)
    (theirs,) = torch.autograd.grad(by_definition(x, labels, mining, 0.5, False), x)
    assert_close(ours, theirs)
    assert ours.abs().max() > 0


@pytest.mark.parametrize("mining", MININGS)
def test_embeddings_far_from_the_origin_keep_their_digits(mining: Any) -> None:
    """Through a matrix product the distances of embeddings around 1000 have an error of a tenth of their size."""
    x, labels = torch.randn(64, 16), torch.arange(64) % 8
    x = (x + 1000) - 1000  # the digits that are left around 1000
    near = online_triplet_loss(x, labels, mining=mining)
    assert_close(online_triplet_loss(x + 1000, labels, mining=mining), near, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("squared", [False, True])
def test_collapsed_embeddings(mining: Any, squared: bool) -> None:
    """All at one point: each triplet costs the margin, but for those that must be farther, of which there are none."""
    x = torch.full((6, 3), 0.7, requires_grad=True)
    value = online_triplet_loss(x, torch.arange(6) % 2, mining=mining, margin=0.3, squared=squared)
    value.backward()
    assert_close(value, torch.tensor(0.0 if mining == "semi_hard_all" else 0.3))
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("mining", MININGS)
def test_sums_stay_exact_when_distances_are_large(mining: Any) -> None:
    """Float32 against float64 where distances are around 140, and the differences that count around 1."""
    x = 100 * torch.eye(512, dtype=torch.float64) + 0.5 * torch.randn(512, 512, dtype=torch.float64)
    labels = torch.arange(512) % 8
    exact = online_triplet_loss(x, labels, mining=mining, margin=0.2)
    assert_close(online_triplet_loss(x.float(), labels, mining=mining, margin=0.2).double(), exact, rtol=2e-4, atol=0)


def test_without_reduction_each_anchor_has_its_sum() -> None:
    x, labels = torch.randn(6, 3), torch.tensor([0, 0, 1, 1, 1, 2])
    each = online_triplet_loss(x, labels, mining="batch_all", margin=10, reduction="none")
    assert each.shape == (6,)
    assert each[5] == 0  # no positive
    count = 2 * 1 * 4 + 3 * 2 * 3
    assert_close(each.sum() / count, online_triplet_loss(x, labels, mining="batch_all", margin=10))


def test_shapes_are_checked() -> None:
    with pytest.raises(
        ValueError, match=r"embeddings must have the shape N x D and labels N; got \(4, 3\) and \(4, 1\)"
    ):
        online_triplet_loss(torch.zeros(4, 3), torch.zeros(4, 1))
