import copy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from losses import AggregatedGradients, FixedWeighting
from tests.losses.weighting.network import TASKS, Network, batch

aggregation = pytest.importorskip("torchjd.aggregation")
autojac = pytest.importorskip("torchjd.autojac")

MAKERS: dict[str, Any] = {
    "AlignedMTL": aggregation.AlignedMTL,
    "CAGrad": lambda: aggregation.CAGrad(c=0.4),
    "ConFIG": aggregation.ConFIG,
    "Constant": lambda: aggregation.Constant(torch.tensor([1.0, 0.5, 3.0], dtype=torch.float64)),
    "CRMOGM": lambda: aggregation.GramianWeightedAggregator(aggregation.CRMOGMWeighting(aggregation.MGDAWeighting())),
    "DualProj": aggregation.DualProj,
    "ExcessMTL": lambda: aggregation.ExcessMTL(robust_step_size=1e-2),
    "FairGrad": lambda: aggregation.FairGrad(alpha=1.0),
    "GradDrop": aggregation.GradDrop,
    "GradVac": aggregation.GradVac,
    "IMTLG": aggregation.IMTLG,
    "Krum": lambda: aggregation.Krum(n_byzantine=0, n_selected=2),
    "Mean": aggregation.Mean,
    "MGDA": aggregation.MGDA,
    "NashMTL": lambda: aggregation.NashMTL(n_tasks=3),
    "PCD": aggregation.PCD,
    "PCGrad": aggregation.PCGrad,
    "Random": aggregation.Random,
    "Sum": aggregation.Sum,
    "TrimmedMean": lambda: aggregation.TrimmedMean(trim_number=1),
    "UPGrad": aggregation.UPGrad,
}
pytestmark = pytest.mark.filterwarnings("ignore:You are solving a parameterized problem that is not DPP")  # NashMTL's
WITHOUT_WEIGHTS = {"ConFIG", "GradDrop", "TrimmedMean"}


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network().double()


def gradients(network: nn.Module) -> dict[str, Tensor]:
    found = {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}
    network.zero_grad()
    return found


def by_torchjd(network: Network, aggregator: Any, images: Tensor, target: Tensor, tasks: Any = TASKS) -> Tensor | None:
    """Leave in .grad what TorchJD's own engine makes of the same step; gives the weights."""
    features = network.features(images)
    leaf = features.detach().requires_grad_()
    shared = leaf.view_as(leaf)  # no leaf itself, as TorchJD asks for
    losses = network.losses(dict.fromkeys(TASKS, shared), target, tasks)
    autojac.mtl_backward(list(losses.values()), features=shared, shared_params=[leaf])
    weights = autojac.jac_to_grad([leaf], aggregator)
    features.backward(leaf.grad)
    return weights


def test_every_aggregator_of_torchjd_is_tried() -> None:
    bases = {"Aggregator", "WeightedAggregator", "GramianWeightedAggregator"}
    kinds = {name: getattr(aggregation, name) for name in set(aggregation.__all__) - bases}
    of_torchjd = {name for name, kind in kinds.items() if issubclass(kind, aggregation.Aggregator)}
    assert of_torchjd == set(MAKERS) - {"CRMOGM"}


@pytest.mark.parametrize("name", MAKERS)
def test_trunk_and_heads_get_what_torchjd_gives_them(network: Network, name: str) -> None:
    """Over three steps, as some aggregators remember."""
    twin, theirs = copy.deepcopy(network), MAKERS[name]()
    weighting = AggregatedGradients(TASKS, aggregator=MAKERS[name]()).double()
    for step in range(3):
        torch.manual_seed(step)  # some aggregators draw lots
        network.total(weighting, *batch(step)).backward()
        weighting.step()
        torch.manual_seed(step)
        weights = by_torchjd(twin, theirs, *batch(step))
        assert_close(gradients(network), gradients(twin), rtol=1e-10, atol=1e-12)
        found = torch.stack(list(weighting.report().values()))
        if name in WITHOUT_WEIGHTS:
            assert found.isnan().all()
        else:
            assert_close(found, weights, rtol=1e-10, atol=1e-12)


def test_the_sum_is_equal_weights_and_upgrad_is_not(network: Network) -> None:
    twin, other = copy.deepcopy(network), copy.deepcopy(network)
    network.total(AggregatedGradients(TASKS, aggregator="Sum").double(), *batch()).backward()
    twin.total(FixedWeighting(TASKS).double(), *batch()).backward()
    other.total(AggregatedGradients(TASKS).double(), *batch()).backward()
    plain, of_sum, of_upgrad = gradients(twin), gradients(network), gradients(other)
    assert_close(of_sum, plain, rtol=1e-10, atol=1e-12)
    for name, gradient in plain.items():
        if "bias" not in name:  # a bias before BatchNorm has no gradient
            assert torch.allclose(of_upgrad[name], gradient) == name.startswith("heads"), name


@pytest.mark.parametrize("name", ["UPGrad", "NashMTL", "MGDA"])
def test_a_loss_scale_is_undone_for_the_aggregator(network: Network, name: str) -> None:
    twin = copy.deepcopy(network)
    plain, scaled = (AggregatedGradients(TASKS, aggregator=MAKERS[name]()).double() for _ in range(2))
    network.total(plain, *batch()).backward()
    (1024 * twin.total(scaled, *batch())).backward()
    expected = {key: 1024 * gradient for key, gradient in gradients(network).items()}
    assert_close(gradients(twin), expected, rtol=1e-12, atol=0)


def test_infinite_gradients_go_on_for_the_scaler_to_see(network: Network) -> None:
    weighting = AggregatedGradients(TASKS, aggregator="IMTLG").double()  # whose solver refuses them
    (float("inf") * network.total(weighting, *batch())).backward()
    assert not gradients(network)["last.weight"].isfinite().any()
    assert torch.stack(list(weighting.report().values())).isnan().all()


def test_absent_tasks_are_not_aggregated(network: Network) -> None:
    twin = copy.deepcopy(network)
    weighting = AggregatedGradients(TASKS, aggregator="MGDA").double()
    network.total(weighting, *batch(), tasks=("c", "a")).backward()
    weights = by_torchjd(twin, aggregation.MGDA(), *batch(), tasks=("a", "c"))
    assert weights is not None
    mine, theirs = gradients(network), gradients(twin)
    assert_close(mine, theirs, rtol=1e-10, atol=1e-12)
    found = list(weighting.report().values())
    assert found[1].isnan()
    assert_close(torch.stack(found)[[0, 2]], weights)


def test_half_precision_and_autocast(network: Network) -> None:
    network.float()
    twin, reference, mixed = copy.deepcopy(network), AggregatedGradients(TASKS), AggregatedGradients(TASKS)
    images, target = (tensor.float() for tensor in batch())
    network.total(reference, images, target).backward()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        twin.total(mixed, images, target).backward()
    for task in TASKS:
        assert_close(mixed.report()[f"weight/{task}"], reference.report()[f"weight/{task}"], rtol=0.1, atol=0.05)


@pytest.mark.parametrize("name", ["CRMOGM", "ExcessMTL", "GradVac", "PCD"])
def test_a_run_that_is_resumed_goes_on_with_the_same_state(network: Network, name: str, tmp_path: Path) -> None:
    weighting, resumed, fresh = (AggregatedGradients(TASKS, aggregator=MAKERS[name]()).double() for _ in range(3))
    for step in range(3):
        network.total(weighting, *batch(step)).backward()
        weighting.step()
    torch.save(weighting.state_dict(), tmp_path / "state.pt")
    resumed.load_state_dict(torch.load(tmp_path / "state.pt"))
    found = []
    for each in weighting, resumed, fresh:
        twin = copy.deepcopy(network)
        torch.manual_seed(1)
        twin.zero_grad()
        twin.total(each, *batch(5)).backward()
        found.append(torch.stack(list(each.report().values())))
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2])


def test_evaluation_and_a_frozen_trunk_leave_the_features_alone(network: Network) -> None:
    weighting = AggregatedGradients(TASKS)
    for features in torch.zeros(2, 3), torch.zeros(2, 3, requires_grad=True):
        views = weighting.train(not features.requires_grad).branch(features, network.last.weight)
        assert all(views[task] is features for task in TASKS)


def test_a_missing_torchjd_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs TorchJD: pip install -e '\.\[torchjd\]'"):
        AggregatedGradients(TASKS)


def test_aggregators_that_do_not_exist_or_need_options_are_refused() -> None:
    for name in "PCGard", "UPGradWeighting":
        with pytest.raises(ValueError, match=f"aggregator must be one of torchjd.aggregation, .* got '{name}'"):
            AggregatedGradients(TASKS, aggregator=name)
    with pytest.raises(ValueError, match=r"aggregator must be one of torchjd.aggregation, .* got Linear"):
        AggregatedGradients(TASKS, aggregator=nn.Linear(3, 1))
    with pytest.raises(ValueError, match=r"aggregator CAGrad needs options: pass it built, not its name: .*'c'"):
        AggregatedGradients(TASKS, aggregator="CAGrad")
    state = AggregatedGradients(TASKS).state_dict()
    with pytest.raises(ValueError, match="aggregator must be the one that the state was saved with; got NashMTL"):
        AggregatedGradients(TASKS, aggregator=MAKERS["NashMTL"]()).load_state_dict(state)
