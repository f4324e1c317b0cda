import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from losses import contrastive_loss, info_nce_loss, nt_xent_loss, triplet_loss

A, B = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]), torch.tensor([[3.0, 4.0], [0.3, 0.4], [1.0, 1.0]])


def test_contrastive_by_hand() -> None:
    """Distances 5, 0.5 and 0; margin 1."""
    same = contrastive_loss(A, B, torch.tensor([1, 1, 1]), reduction="none")
    assert_close(same, torch.tensor([12.5, 0.125, 0.0]))
    different = contrastive_loss(A, B, torch.tensor([False, False, False]), reduction="none")
    assert_close(different, torch.tensor([0.0, 0.125, 0.5]))


def test_different_pairs_at_one_point_are_pushed_nowhere() -> None:
    a = torch.ones(1, 4, requires_grad=True)
    contrastive_loss(a, torch.ones(1, 4), torch.tensor([False])).backward()
    assert a.grad is not None
    assert (a.grad == 0).all()


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({}, 1.0 - 3.0 + 4.0),
        ({"squared": True}, 1.0 - 9.0 + 9.0),
        ({"swap": True}, 1.0 - 2.0 + 4.0),
        ({"soft_margin": True}, math.log1p(math.exp(-2.0))),
        ({"squared": True, "soft_margin": True, "swap": True}, math.log1p(math.exp(1.0 - 4.0))),
    ],
)
def test_triplets_by_hand(options: dict[str, bool], value: float) -> None:
    """On a line: the anchor at 0, the positive at 1, the negative at 3 (2 from the positive)."""
    anchor, positive, negative = torch.tensor([[0.0]]), torch.tensor([[1.0]]), torch.tensor([[3.0]])
    margin = 9.0 if options.get("squared") else 4.0
    assert triplet_loss(anchor, positive, negative, margin=margin, **options).item() == pytest.approx(value)


def test_collapsed_triplets_cost_the_margin_and_have_finite_gradients() -> None:
    x = torch.ones(5, 3, requires_grad=True)
    value = triplet_loss(x, x, x, margin=0.3)
    value.backward()
    assert_close(value, torch.tensor(0.3))
    assert x.grad is not None
    assert (x.grad == 0).all()


def by_definition(similarity: Tensor, partner: list[int], temperature: float) -> Tensor:
    """-log of the partner's share among all but the row itself."""
    losses = []
    for i, j in enumerate(partner):
        terms = torch.stack([similarity[i, k] / temperature for k in range(len(similarity)) if k != i])
        losses.append(torch.logsumexp(terms, 0) - similarity[i, j] / temperature)
    return torch.stack(losses)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_nt_xent_by_its_definition(temperature: float) -> None:
    first, second = torch.randn(5, 8), torch.randn(5, 8)
    views = F.normalize(torch.cat([first, second]), dim=1)
    expected = by_definition(views @ views.T, [5, 6, 7, 8, 9, 0, 1, 2, 3, 4], temperature)
    assert_close(nt_xent_loss(first, second, temperature=temperature, reduction="none"), expected)


def test_nt_xent_of_aligned_views_goes_to_zero() -> None:
    """Two samples on opposite sides: no term is counted twice, which would hold it above log 2."""
    views = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    expected = math.log1p(2 * math.exp(-2 / 0.07))
    assert nt_xent_loss(views, views, temperature=0.07).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_collapsed_embeddings_cost_the_logarithm_of_the_choices(n: int) -> None:
    x = torch.ones(n, 4)
    assert nt_xent_loss(x, x).item() == pytest.approx(math.log(2 * n - 1), abs=1e-6)
    assert info_nce_loss(x, x).item() == pytest.approx(math.log(n), abs=1e-6)


@pytest.mark.parametrize("temperature", [0.01, 0.07])
def test_low_temperatures_neither_overflow_nor_cap_the_loss(temperature: float) -> None:
    """A view whose partner is on the other side and whose negatives are beside it costs 2 / temperature and more."""
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    value = nt_xent_loss(first, -first, temperature=temperature)
    assert value.item() == pytest.approx(2 / temperature + math.log1p(2 * math.exp(-2 / temperature)), rel=1e-6)


def test_info_nce_by_its_definition_and_symmetric() -> None:
    query, key = torch.randn(6, 8), torch.randn(6, 8)
    similarity = F.normalize(query, dim=1) @ F.normalize(key, dim=1).T / 0.2
    forward = torch.logsumexp(similarity, 1) - similarity.diagonal()
    backward = torch.logsumexp(similarity, 0) - similarity.diagonal()
    assert_close(info_nce_loss(query, key, temperature=0.2, reduction="none"), forward)
    both = info_nce_loss(query, key, temperature=0.2, symmetric=True, reduction="none")
    assert_close(both, (forward + backward) / 2)


def test_embeddings_have_two_dimensions() -> None:
    x = torch.zeros(2, 3, 4)
    for loss in info_nce_loss, nt_xent_loss:
        with pytest.raises(ValueError, match=r"must have the shape N x D; got \(2, 3, 4\)"):
            loss(x, x)
