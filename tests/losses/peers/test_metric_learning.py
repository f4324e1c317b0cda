"""Metric learning against torch, pytorch-metric-learning (PML), MONAI, and triplets that are mined by hand."""

import math

import monai.losses
import numpy as np
import pytest
import torch
from pytorch_metric_learning import distances, miners, reducers
from pytorch_metric_learning import losses as pml
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

import losses
from tests.losses.peers.agreement import Loss, assert_agree, trained
from tests.losses.peers.mining import losses_by_anchor

EUCLIDEAN = distances.LpDistance(normalize_embeddings=False)  # PML's default normalizes embeddings to length 1
SQUARED = distances.LpDistance(normalize_embeddings=False, power=2)

every_reduction = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
both_distances = pytest.mark.parametrize("squared", [False, True], ids=["distance", "squared"])


def labels() -> Tensor:
    """Of 24 samples: classes of several sizes, some of which have no second sample."""
    return torch.cat([torch.randint(5, (20,)), torch.arange(10, 14)])


@every_reduction
def test_contrastive_loss_of_torch(reduction: str) -> None:
    """Hadsell's loss is half the square of torch's hinge embedding loss of the distance."""
    same = torch.tensor([True, False] * 3)

    def theirs(first: Tensor, second: Tensor) -> Tensor:
        distance = torch.linalg.vector_norm(first - second, dim=1)
        hinge = F.hinge_embedding_loss(distance, torch.where(same, 1, -1), margin=3.0, reduction="none")
        halves = 0.5 * hinge.square()
        return {"none": halves, "mean": halves.mean(), "sum": halves.sum()}[reduction]

    assert_agree(
        lambda x, y: losses.contrastive_loss(x, y, same, margin=3.0, reduction=reduction),
        theirs,
        trained(6, 4),
        trained(6, 4),
    )


def test_contrastive_loss_of_pml() -> None:
    """PML's hinges are not squared, and it averages those above 0, of similar and of other pairs, by themselves."""
    embeddings, classes = trained(24, 4), labels()
    theirs = pml.ContrastiveLoss(neg_margin=3.0, distance=EUCLIDEAN, reducer=reducers.DoNothingReducer())
    parts = theirs(embeddings, classes)
    for part, same in (parts["pos_loss"], True), (parts["neg_loss"], False):
        first, second = part["indices"]
        assert len(first) > 0
        which = torch.full_like(first, same, dtype=torch.bool)
        ours = losses.contrastive_loss(embeddings[first], embeddings[second], which, margin=3.0, reduction="none")
        assert_close(ours, 0.5 * part["losses"].square())


@every_reduction
@pytest.mark.parametrize("swap", [False, True])
def test_triplet_loss_of_torch(swap: bool, reduction: str) -> None:
    """Torch adds 1e-6 to every coordinate of the difference, so that the distance of a point to itself is not 0."""
    assert_agree(
        lambda *triplets: losses.triplet_loss(*triplets, swap=swap, reduction=reduction),
        lambda *triplets: F.triplet_margin_loss(*triplets, swap=swap, reduction=reduction),
        trained(6, 4),
        trained(6, 4),
        trained(6, 4),
        rtol=1e-4,
        atol=1e-5,
    )
    exact = torch.zeros(1, 4), torch.zeros(1, 4), torch.ones(1, 4)
    assert losses.triplet_loss(*exact, margin=2.0) == 0
    assert F.triplet_margin_loss(*exact, margin=2.0) > 0


@both_distances
@pytest.mark.parametrize("swap", [False, True])
def test_triplet_loss_of_torch_with_a_distance_of_its_own(swap: bool, squared: bool) -> None:
    def distance(first: Tensor, second: Tensor) -> Tensor:
        return (first - second).square().sum(1) if squared else torch.linalg.vector_norm(first - second, dim=1)

    assert_agree(
        lambda *triplets: losses.triplet_loss(*triplets, swap=swap, squared=squared, margin=0.5),
        lambda *triplets: F.triplet_margin_with_distance_loss(
            *triplets, swap=swap, distance_function=distance, margin=0.5
        ),
        trained(6, 4),
        trained(6, 4),
        trained(6, 4),
    )


@both_distances
@pytest.mark.parametrize("mining", ["batch_hard", "semi_hard", "semi_hard_all", "batch_all"])
def test_triplets_mined_by_hand(mining: str, squared: bool) -> None:
    embeddings, classes = torch.randn(24, 3, dtype=torch.float64), labels()
    options = {"mining": mining, "margin": 0.5, "squared": squared}
    by_anchor = losses_by_anchor(embeddings.numpy(), classes.numpy(), **options)
    each = np.concatenate(by_anchor)
    active = each[each > 0] if mining == "batch_all" else each

    def ours(**more: object) -> Tensor:
        return losses.online_triplet_loss(embeddings, classes, **options, **more)

    np.testing.assert_allclose(ours(reduction="none"), [anchor.sum() for anchor in by_anchor], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours(reduction="sum"), each.sum(), rtol=1e-9)
    np.testing.assert_allclose(ours(), active.mean(), rtol=1e-9)
    if mining == "batch_all":
        assert len(active) < len(each)
        np.testing.assert_allclose(ours(only_active=False), each.mean(), rtol=1e-9)


@both_distances
@pytest.mark.parametrize("soft_margin", [False, True])
def test_batch_hard_of_pml(soft_margin: bool, squared: bool) -> None:
    """PML's default reducer averages triplets with a loss above 0; Hermans et al. average all anchors."""
    classes, distance = labels(), SQUARED if squared else EUCLIDEAN
    miner = miners.BatchHardMiner(distance=distance)
    theirs = pml.TripletMarginLoss(
        margin=0.0 if soft_margin else 1.0,  # its smooth loss has a margin inside
        smooth_loss=soft_margin,
        distance=distance,
        reducer=reducers.MeanReducer(),
    )
    assert_agree(
        lambda x: losses.online_triplet_loss(x, classes, soft_margin=soft_margin, squared=squared),
        lambda x: theirs(x, classes, miner(x, classes)),
        trained(24, 3),
    )


@both_distances
@pytest.mark.parametrize("only_active", [False, True])
def test_batch_all_of_pml(only_active: bool, squared: bool) -> None:
    classes = labels()
    theirs = pml.TripletMarginLoss(
        margin=0.5,
        distance=SQUARED if squared else EUCLIDEAN,
        reducer=reducers.AvgNonZeroReducer() if only_active else reducers.MeanReducer(),
    )
    assert_agree(
        lambda x: losses.online_triplet_loss(
            x, classes, mining="batch_all", margin=0.5, only_active=only_active, squared=squared
        ),
        lambda x: theirs(x, classes),
        trained(24, 3),
    )


@both_distances
def test_semi_hard_of_pml(squared: bool) -> None:
    """PML's "semihard" is every triplet whose negative is farther than the positive, but within the margin."""
    classes, distance = labels(), SQUARED if squared else EUCLIDEAN
    miner = miners.TripletMarginMiner(margin=0.5, type_of_triplets="semihard", distance=distance)
    theirs = pml.TripletMarginLoss(margin=0.5, distance=distance, reducer=reducers.MeanReducer())
    assert_agree(
        lambda x: losses.online_triplet_loss(x, classes, mining="semi_hard_all", margin=0.5, squared=squared),
        lambda x: theirs(x, classes, miner(x, classes)),
        trained(24, 3),
    )


def test_distances_far_from_the_origin() -> None:
    """There torch.cdist, which PML takes, turns to a matrix product and loses the digits; ours moves them back."""
    embeddings, classes = torch.randn(30, 4) + 1000, torch.arange(30) // 3
    by_anchor = losses_by_anchor(
        embeddings.double().numpy(), classes.numpy(), mining="batch_all", margin=0.5, squared=False
    )
    each = np.concatenate(by_anchor)
    ours = losses.online_triplet_loss(embeddings, classes, mining="batch_all", margin=0.5)
    theirs = pml.TripletMarginLoss(margin=0.5, distance=EUCLIDEAN)(embeddings, classes)
    expected = each[each > 0].mean()
    assert abs(ours - expected) < 1e-4 * expected
    assert abs(theirs - expected) > 1e-3 * expected


@pytest.mark.parametrize("symmetric", [False, True])
def test_info_nce_of_pml(symmetric: bool) -> None:
    """Keys as PML's reference embeddings.

    Their labels must be another tensor: where it is the same object, PML takes the embeddings for the same, too, and
    leaves out the diagonal, which holds all positives here (the loss then is 0).
    """
    loss, classes = pml.NTXentLoss(temperature=0.3), torch.arange(6)

    def one_way(query: Tensor, key: Tensor) -> Tensor:
        return loss(query, classes, ref_emb=key, ref_labels=classes.clone())

    def theirs(query: Tensor, key: Tensor) -> Tensor:
        return (one_way(query, key) + one_way(key, query)) / 2 if symmetric else one_way(query, key)

    assert_agree(
        lambda query, key: losses.info_nce_loss(query, key, temperature=0.3, symmetric=symmetric),
        theirs,
        trained(6, 4),
        trained(6, 4),
    )


def nt_xent_of_pml(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    classes = torch.arange(len(first)).repeat(2)
    return pml.NTXentLoss(temperature=temperature)(torch.cat([first, second]), classes)


@pytest.mark.parametrize("theirs", [nt_xent_of_pml, lambda *views: monai.losses.ContrastiveLoss(views[2])(*views[:2])])
def test_nt_xent_of_pml_and_monai(theirs: Loss) -> None:
    assert_agree(
        lambda first, second: losses.nt_xent_loss(first, second, temperature=0.5),
        lambda first, second: theirs(first, second, 0.5),
        trained(6, 4),
        trained(6, 4),
        rtol=1e-6,
    )


def test_nt_xent_of_opposite_views_at_a_low_temperature() -> None:
    """The views of a sample are as far apart as can be: 2/T more than the other sample's. MONAI's exponential
    overflows in float32, and PML's logarithm ends at that of its smallest number.
    """
    first = torch.eye(2)
    second = -first
    pairs = losses.nt_xent_loss(first, second, temperature=0.005)
    assert_close(pairs, torch.tensor(1 / 0.005 + math.log(2)))  # two negatives at a right angle, similarity 0
    assert monai.losses.ContrastiveLoss(0.005)(first, first).isnan()
    assert nt_xent_of_pml(first, second, 0.005) < 90
