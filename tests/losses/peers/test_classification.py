"""Losses of classes against torch, scipy, timm, kornia, MONAI and segmentation_models_pytorch (smp)."""

import kornia.losses
import monai.losses
import numpy as np
import pytest
import scipy.special
import scipy.stats
import timm.loss
import torch
from scipy.spatial.distance import cdist
from segmentation_models_pytorch.losses import _functional as smp_functional
from torch import Tensor
from torch.distributions import Categorical, kl_divergence
from torch.nn import functional as F
from torch.testing import assert_close

import losses
from tests.losses.peers.agreement import assert_agree, trained

CLASSES = 5
WEIGHT = torch.tensor([0.5, 1.0, 2.0, 0.0, 3.0], dtype=torch.float64)
every_reduction = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])


def logits() -> Tensor:
    return trained(4, CLASSES, 6)


def classes(ignored: int | None = None) -> Tensor:
    target = torch.randint(CLASSES, (4, 6))
    if ignored is not None:
        target[:, 0] = ignored
    return target


@every_reduction
@pytest.mark.parametrize("ignored", [None, -100, 255, 0])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_cross_entropy_of_torch(
    label_smoothing: float, weight: Tensor | None, ignored: int | None, reduction: str
) -> None:
    target = classes(ignored)
    options = {
        "weight": weight,
        "ignore_index": -100 if ignored is None else ignored,
        "label_smoothing": label_smoothing,
        "reduction": reduction,
    }
    assert_agree(
        lambda x: losses.cross_entropy_loss(x, target, **options),
        lambda x: F.cross_entropy(x, target, **options),
        logits(),
    )


@every_reduction
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_cross_entropy_of_probabilities_of_torch(label_smoothing: float, weight: Tensor | None, reduction: str) -> None:
    options = {"weight": weight, "label_smoothing": label_smoothing, "reduction": reduction}
    assert_agree(
        lambda x, y: losses.cross_entropy_loss(x, y, **options),
        lambda x, y: F.cross_entropy(x, y, **options),
        logits(),
        torch.randn(4, CLASSES, 6, dtype=torch.float64).softmax(1).requires_grad_(),
    )


def test_where_all_is_ignored_torchs_cross_entropy_is_nan() -> None:
    target = torch.full((4, 6), -100)
    assert F.cross_entropy(logits(), target).isnan()
    assert losses.cross_entropy_loss(logits(), target) == 0


def test_cross_entropy_of_scipy() -> None:
    input, target = torch.randn(6, CLASSES, dtype=torch.float64), torch.randint(CLASSES, (6,))
    expected = -scipy.special.log_softmax(input.numpy(), axis=1)[range(6), target.numpy()]
    ours = losses.cross_entropy_loss(input, target, reduction="none")
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_label_smoothing_and_soft_targets_of_timm() -> None:
    target, soft = torch.randint(CLASSES, (6,)), torch.randn(6, CLASSES, dtype=torch.float64).softmax(1)
    assert_agree(
        lambda x: losses.cross_entropy_loss(x, target, label_smoothing=0.1),
        lambda x: timm.loss.LabelSmoothingCrossEntropy(0.1)(x, target),
        trained(6, CLASSES),
    )
    assert_agree(
        lambda x: losses.cross_entropy_loss(x, soft),
        lambda x: timm.loss.SoftTargetCrossEntropy()(x, soft),
        trained(6, CLASSES),
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_of_kornia(gamma: float) -> None:
    """Kornia gives a map of N x C x ..., zero outside the true class, and its mean divides by all of its elements.

    So it does by those that are ignored. Its one alpha is the weight of classes 1 to C - 1, and 1 - alpha of class 0.
    """
    alpha = torch.tensor([0.75] + (CLASSES - 1) * [0.25], dtype=torch.float64)
    target = classes(ignored=255)
    options = {"gamma": gamma, "ignore_index": 255}
    assert_agree(
        lambda x: losses.focal_loss(x, target, alpha=alpha, **options, reduction="none"),
        lambda x: kornia.losses.focal_loss(x, target, 0.25, **options).sum(1),
        logits(),
    )
    valid = 5 / 6
    assert_agree(
        lambda x: losses.focal_loss(x, target, **options),
        lambda x: kornia.losses.focal_loss(x, target, None, **options, reduction="mean") * CLASSES / valid,
        logits(),
    )


def test_focal_loss_of_monai() -> None:
    """MONAI's mean divides by N*C*..., but by N*... as soon as there is an ignore_index, met or not.

    It computes in float32.
    """
    alpha = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5], dtype=torch.float64)
    input, target = logits(), classes()

    def theirs(x: Tensor, **options: object) -> Tensor:
        loss = monai.losses.FocalLoss(to_onehot_y=True, use_softmax=True, **options)
        return loss(x, target.unsqueeze(1))

    assert_agree(
        lambda x: losses.focal_loss(x, target, alpha=alpha, reduction="none"),
        lambda x: theirs(x, alpha=alpha, reduction="none").sum(1),
        input,
        rtol=1e-5,
        atol=1e-6,
    )
    ours = losses.focal_loss(input, target)
    assert_close(CLASSES * theirs(input), ours, rtol=1e-5, atol=0, check_dtype=False)
    assert_close(theirs(input, ignore_index=255), ours, rtol=1e-5, atol=0, check_dtype=False)


@every_reduction
def test_focal_loss_of_smp(reduction: str) -> None:
    """The class smp.losses.FocalLoss has none of a softmax: its multi-class mode takes C sigmoids."""
    target = classes()
    assert_agree(
        lambda x: losses.focal_loss(x, target, reduction=reduction),
        lambda x: smp_functional.softmax_focal_loss_with_logits(x, target, reduction=reduction),
        logits(),
    )


def test_kl_of_torch_and_scipy() -> None:
    """Torch's "batchmean" is our mean; torch.distributions and scipy take the divergence's arguments in our order."""
    p, q = trained(6, CLASSES), trained(6, CLASSES)
    assert_agree(
        losses.kl_div_with_logits_loss,
        lambda x, y: F.kl_div(x.log_softmax(1), y.log_softmax(1), reduction="batchmean", log_target=True),
        p,
        q,
    )
    assert_agree(
        lambda x, y: losses.kl_div_with_logits_loss(x, y, reduction="none"),
        lambda x, y: kl_divergence(Categorical(logits=y), Categorical(logits=x)),
        p,
        q,
    )
    warm = losses.kl_div_with_logits_loss(p, q, temperature=3.0, rescale=False, reduction="none").detach()
    true, predicted = (scipy.special.softmax(x.detach().numpy() / 3.0, axis=1) for x in (q, p))
    np.testing.assert_allclose(warm, scipy.stats.entropy(true, predicted, axis=1), rtol=1e-9)
    np.testing.assert_allclose(warm, scipy.special.rel_entr(true, predicted).sum(1), rtol=1e-9)


def test_kl_of_torch_for_probabilities_that_underflow() -> None:
    """Torch's gradient in a target of probability 0 is NaN; targets that are logits have none."""
    p, q = torch.zeros(1, 2), torch.tensor([[200.0, 0.0]], requires_grad=True)
    (theirs,) = torch.autograd.grad(F.kl_div(p.log_softmax(1), q.softmax(1), reduction="batchmean"), q)
    assert theirs.isnan().any()
    (ours,) = torch.autograd.grad(losses.kl_div_with_logits_loss(p, q), q)
    assert_close(ours, torch.zeros(1, 2))


def test_probability_l1_is_the_city_block_distance_of_scipy() -> None:
    input, target = torch.randn(6, CLASSES, dtype=torch.float64), torch.randint(CLASSES, (6,))
    distances = cdist(scipy.special.softmax(input.numpy(), axis=1), np.eye(CLASSES), "cityblock")
    ours = losses.probability_l1_loss(input, target, reduction="none")
    np.testing.assert_allclose(ours, distances[range(6), target.numpy()], rtol=1e-12)
