"""The tap that GradNorm, DBMTL and AggregatedGradients share."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from losses import DBMTL, AggregatedGradients, GradNorm, Weighting
from losses.weighting.last_layer import LastLayerWeighting
from tests.losses.weighting.network import TASKS, Network, batch


def aggregated() -> Weighting:
    pytest.importorskip("torchjd.aggregation")
    return AggregatedGradients(TASKS)


class Pyramid(nn.Module):
    """Two levels of features, the second made of the first, behind one layer that all tasks share."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 4)
        self.down = nn.Linear(4, 2)
        self.unused = nn.Linear(4, 5)

    def features(self, x: Tensor) -> list[Tensor]:
        fine = self.last(x).tanh()
        return [fine, self.down(fine).tanh(), self.unused(fine)]


def losses_of(views: Any) -> dict[str, Tensor]:
    """One task on both levels, one on each of them; and a level without a task."""
    return {
        "a": (views["a"][0].square().mean() + views["a"][1].square().mean()),
        "b": 10 * (views["b"][0] - 1).square().mean(),
        "c": views["c"][1].exp().mean(),
    }


@pytest.fixture
def pyramid() -> Pyramid:
    torch.manual_seed(0)
    return Pyramid().double()


X = torch.linspace(-1, 1, 15, dtype=torch.float64).view(5, 3)


def gradients(model: nn.Module) -> list[Tensor | None]:
    found = [parameter.grad for parameter in model.parameters()]
    model.zero_grad()
    return found


def test_gradnorm_measures_through_all_levels(pyramid: Pyramid) -> None:
    weighting = GradNorm(TASKS).double()
    plain = losses_of(dict.fromkeys(TASKS, pyramid.features(X)))
    expected = [
        torch.autograd.grad(loss, pyramid.last.weight, retain_graph=True)[0].norm().item() for loss in plain.values()
    ]
    sum(plain.values()).backward()
    without = gradients(pyramid)
    weighting(losses_of(weighting.branch(pyramid.features(X), pyramid.last.weight))).backward()
    weighting.step()
    for mine, theirs in zip(gradients(pyramid), without, strict=True):
        assert mine is theirs is None or torch.equal(mine, theirs)
    report = weighting.report()
    assert [report[f"gradient_norm/{task}"].item() for task in TASKS] == pytest.approx(expected, rel=1e-12)


def test_db_mtl_scales_what_goes_into_all_levels(pyramid: Pyramid) -> None:
    """Measured by a backward pass for each task; the head of a task is its loss, so the trunk is all there is."""
    found = []
    for task in TASKS:
        losses_of(dict.fromkeys(TASKS, pyramid.features(X)))[task].log().backward()
        found.append(gradients(pyramid))
    norms = torch.stack([grads[0].norm() for grads in found if grads[0] is not None])
    weighting = DBMTL(TASKS).double()
    weighting(losses_of(weighting.branch(pyramid.features(X), pyramid.last.weight))).backward()
    for place, mine in enumerate(gradients(pyramid)):
        reached = [(grads[place], scale) for grads, scale in zip(found, norms.max() / norms, strict=True)]
        terms = [scale * gradient for gradient, scale in reached if gradient is not None]
        assert mine is None if not terms else torch.allclose(mine, torch.stack(terms).sum(0), rtol=1e-10)


def test_aggregation_is_of_all_levels_at_once(pyramid: Pyramid) -> None:
    aggregation = pytest.importorskip("torchjd.aggregation")
    weighting = AggregatedGradients(TASKS, aggregator="UPGrad").double()
    features = [level.detach().requires_grad_() for level in pyramid.features(X)[:2]]
    rows = []
    for loss in losses_of(dict.fromkeys(TASKS, features)).values():
        of_levels = torch.autograd.grad(loss, features, allow_unused=True)
        rows.append(
            torch.cat([torch.zeros(10 * (2 - k)) if g is None else g.flatten() for k, g in enumerate(of_levels)])
        )
    direction = aggregation.UPGrad()(torch.stack(rows)).split([20, 10])
    torch.autograd.backward(pyramid.features(X)[:2], [part.view(5, -1) for part in direction])
    expected = gradients(pyramid)
    weighting(losses_of(weighting.branch(tuple(pyramid.features(X)), pyramid.last.weight))).backward()
    weighting.step()
    for mine, theirs in zip(gradients(pyramid), expected, strict=True):
        assert mine is theirs is None or torch.allclose(mine, theirs, rtol=1e-10)


@pytest.mark.parametrize("make", [lambda: GradNorm(TASKS), lambda: DBMTL(TASKS), aggregated])
def test_a_task_that_bypasses_its_view_is_refused_by_name(make: Any) -> None:
    network, weighting, (images, target) = Network().double(), make().double(), batch()
    features = network.features(images)
    views = weighting.branch(features, network.last.weight)
    weighting(network.losses({**views, "b": features}, target)).backward()
    with pytest.raises(
        ValueError, match=f"{type(weighting).__name__} measured no gradient of b; every task must start"
    ):
        weighting.step()


@pytest.mark.parametrize("make", [lambda: GradNorm(TASKS), lambda: DBMTL(TASKS), aggregated])
def test_a_head_that_begins_in_place_is_refused(make: Any) -> None:
    weighting, weight = make(), nn.Parameter(torch.ones(2))
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        weighting.branch(weight * 2, weight)["a"].relu_()


@pytest.mark.parametrize("kind", [GradNorm, DBMTL])
def test_a_weight_that_the_features_do_not_depend_on_is_refused(kind: Any) -> None:
    network, weighting, (images, target) = Network().double(), kind(TASKS).double(), batch()
    views = weighting.branch(network.features(images), nn.Parameter(torch.zeros(3, 7)))
    total = weighting(network.losses(views, target))
    with pytest.raises(ValueError, match=r"the weight of shape \(3, 7\) is not in their graph"):
        total.backward()


def test_checkpointing_must_not_be_reentrant_around_the_last_shared_layer() -> None:
    first, last = nn.Linear(2, 2), nn.Linear(2, 2)
    x = torch.ones(1, 2, requires_grad=True)

    def back_propagate(features: Tensor, weight: nn.Parameter) -> None:
        weighting = GradNorm(["a"])
        views = weighting.branch(features, weight)
        weighting({"a": views["a"].square().sum()}).backward()
        weighting.step()
        assert weighting.report()["gradient_norm/a"] > 0

    back_propagate(checkpoint(last, first(x), use_reentrant=False), last.weight)
    back_propagate(last(checkpoint(first, x, use_reentrant=True)), last.weight)
    with pytest.raises(ValueError, match="not inside a checkpoint with use_reentrant=True"):
        back_propagate(checkpoint(last, first(x), use_reentrant=True), last.weight)
    with pytest.raises(RuntimeError, match=r"cannot measure between weight and features: .*use_reentrant=True"):
        back_propagate(checkpoint(last, first(x), use_reentrant=True), first.weight)


@pytest.mark.parametrize("make", [lambda: GradNorm(TASKS), lambda: DBMTL(TASKS), aggregated])
def test_evaluation_needs_no_views(make: Any) -> None:
    network, weighting, (images, target) = Network().double(), make().double().eval(), batch()
    network.total(weighting, images, target).backward()
    if isinstance(weighting, LastLayerWeighting):
        with pytest.raises(ValueError, match=r"(GradNorm|DBMTL) measured no gradient: .* in training mode"):
            weighting.step()
    else:
        weighting.step()


def test_two_backward_passes_of_one_step_are_told_apart() -> None:
    """A view that is missed in the first of them is not made up for by the second."""
    network, weighting, (images, target) = Network().double(), GradNorm(TASKS).double(), batch()
    features = network.features(images)
    views = weighting.branch(features, network.last.weight)
    weighting(network.losses({**views, "b": features}, target)).backward()
    network.total(weighting, images, target).backward()
    with pytest.raises(ValueError, match="measured no gradient of b"):
        weighting.step()


def test_views_are_equal_to_the_features_and_have_their_strides() -> None:
    weight = nn.Parameter(torch.ones(2))
    features = (weight * torch.randn(3, 4, 5, 2)).permute(0, 3, 1, 2)
    view = GradNorm(TASKS).branch(features, weight)["a"]
    assert_close(view, features)
    assert view.stride() == features.stride() and view.data_ptr() == features.data_ptr()
