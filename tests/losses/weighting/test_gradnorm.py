import copy
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from losses import FixedWeighting, GradNorm
from tests.losses.weighting.network import TASKS, Network, batch


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network().double()


def norms_by_autograd(network: Network, weights: Mapping[str, float], images: Tensor, target: Tensor) -> list[float]:
    """The norm of each task's own gradient, one backward pass each."""
    network = copy.deepcopy(network)
    losses = network.losses(dict.fromkeys(TASKS, network.features(images)), target)
    return [
        torch.autograd.grad(weights[task] * losses[task], network.last.weight, retain_graph=True)[0].norm().item()
        for task in TASKS
    ]


def replay(
    steps: list[tuple[np.ndarray, np.ndarray]],
    alpha: float,
    optimizer: str,
    lr: float,
    initial: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Algorithm 1 in NumPy, from the unweighted gradients' norms and the losses of each step; gives all weights."""
    w, m, v, history = np.ones(3), np.zeros(3), np.zeros(3), []
    for step, (norms, losses) in enumerate(steps, 1):
        initial = losses if initial is None else initial
        weighted = w * norms
        inverse_rates = (losses / initial) / np.mean(losses / initial)
        target = np.mean(weighted) * inverse_rates**alpha
        gradient = np.where(weighted > target, norms, -norms)
        if optimizer == "adam":
            m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
            gradient = (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        w = np.maximum(w - lr * gradient, 1e-3)
        w = w * 3 / w.sum()
        history.append(w)
    return history


def train(
    network: Network, weighting: GradNorm, steps: int
) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[np.ndarray]]:
    """Train the network; gives the unweighted norms (by autograd) and losses of each step, and the weights after it."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    seen, weights = [], []
    for step in range(steps):
        images, target = batch(step)
        norms = norms_by_autograd(network, dict.fromkeys(TASKS, 1.0), images, target)
        losses = network.losses(dict.fromkeys(TASKS, copy.deepcopy(network).features(images)), target)
        seen.append((np.array(norms), np.array([losses[task].item() for task in TASKS])))
        optimizer.zero_grad()
        network.total(weighting, images, target).backward()
        weighting.step()
        optimizer.step()
        weights.append(weighting.current.numpy().copy())
    return seen, weights


@pytest.mark.parametrize("alpha", [0.0, 0.12, 1.5])
@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", 0.02), ("adam", 0.025)])
def test_the_weights_are_those_of_algorithm_1(network: Network, alpha: float, optimizer: Any, lr: float) -> None:
    weighting = GradNorm(TASKS, alpha=alpha, optimizer=optimizer, lr=lr).double()
    seen, weights = train(network, weighting, 20)
    expected = replay(seen, alpha, optimizer, lr)
    np.testing.assert_allclose(weights, expected, rtol=1e-9, atol=1e-12)
    assert abs(weights[-1] - 1).max() > 0.05
    if alpha == 1.5:  # the replay can tell an exponent of the wrong sign
        assert abs(np.array(replay(seen, -alpha, optimizer, lr)) - weights).max() > 1e-3


def test_known_initial_losses_are_taken_instead_of_measured_ones(network: Network) -> None:
    initial = {"a": 3.0, "b": 5.0, "c": 0.5}
    weighting = GradNorm(TASKS, alpha=1.5, initial_losses=initial).double()
    seen, weights = train(network, weighting, 5)
    np.testing.assert_allclose(weights, replay(seen, 1.5, "adam", 0.025, np.array([3.0, 5.0, 0.5])), rtol=1e-9)


def test_norms_are_those_of_each_tasks_own_gradient(network: Network) -> None:
    weighting = GradNorm(TASKS).double()
    train(network, weighting, 3)
    images, target = batch(9)
    weights = dict(zip(TASKS, weighting.current.tolist(), strict=True))
    expected = norms_by_autograd(network, weights, images, target)
    network.total(weighting, images, target).backward()
    weighting.step()
    report = weighting.report()
    assert [report[f"gradient_norm/{task}"].item() for task in TASKS] == pytest.approx(expected, rel=1e-12)
    mean = sum(expected) / 3
    rates = [report[f"training_rate/{task}"].item() for task in TASKS]
    targets = [report[f"target_norm/{task}"].item() for task in TASKS]
    assert sum(rates) == pytest.approx(3)
    assert targets == pytest.approx([mean * rate**1.5 for rate in rates])
    assert [report[f"weight/{task}"].item() for task in TASKS] == pytest.approx(list(weights.values()))


def test_the_networks_gradients_are_to_the_bit_those_of_the_plain_weighted_sum(network: Network) -> None:
    weighting = GradNorm(TASKS).double()
    train(network, weighting, 3)
    plain = copy.deepcopy(network)
    fixed = FixedWeighting(TASKS).double()
    fixed.fixed.copy_(weighting.current)
    for model, of_model in (network, weighting), (plain, fixed):
        model.zero_grad()
        model.total(of_model, *batch(5)).backward()
    for (name, mine), theirs in zip(network.named_parameters(), plain.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert torch.equal(mine.grad, theirs.grad), name
    for mine, theirs in zip(network.buffers(), plain.buffers(), strict=True):
        assert torch.equal(mine, theirs)  # BatchNorm has seen the batch once


def test_the_tasks_gradients_add_up_to_that_of_the_shared_weight(network: Network) -> None:
    weighting = GradNorm(TASKS).double()
    network.total(weighting, *batch()).backward()
    assert weighting._gradients is not None
    assert_close(weighting._gradients.sum(0), network.last.weight.grad, rtol=1e-12, atol=1e-15)


def test_accumulated_batches_count_as_one(network: Network) -> None:
    """Two halves, the loss divided by two, as trainers do it. (BatchNorm in evaluation: it would see the halves.)"""
    network.eval()
    whole, halves = GradNorm(TASKS).double(), GradNorm(TASKS).double()
    for step in range(5):
        images, target = batch(step)
        network.total(whole, images, target).backward()
        for part in range(2):
            (network.total(halves, images[part::2], target[part::2]) / 2).backward()
        for weighting in whole, halves:
            weighting.step()
        assert_close(halves.current, whole.current, rtol=1e-10, atol=0)


def test_a_loss_scaler_changes_nothing_and_infinite_gradients_teach_nothing(network: Network) -> None:
    plain, scaled = GradNorm(TASKS).double(), GradNorm(TASKS).double()
    for step in range(3):
        network.total(plain, *batch(step)).backward()
        (65536 * network.total(scaled, *batch(step))).backward()
        plain.step()
        scaled.step()
        assert_close(scaled.current, plain.current, rtol=1e-12, atol=0)
    before = copy.deepcopy(scaled.state_dict())
    (float("inf") * network.total(scaled, *batch(7))).backward()
    scaled.step()
    for name, value in scaled.state_dict().items():
        assert torch.equal(value, before[name]), name
    network.total(plain, *batch(8)).backward()
    network.total(scaled, *batch(8)).backward()
    plain.step()
    scaled.step()
    assert_close(scaled.current, plain.current)  # nothing infinite is left over


def test_a_step_that_the_optimiser_skips_teaches_nothing(network: Network) -> None:
    one, other = GradNorm(TASKS).double(), GradNorm(TASKS).double()
    network.total(one, *batch(1)).backward()
    one.skip()
    for weighting in one, other:
        network.total(weighting, *batch(2)).backward()
        weighting.step()
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_float16_with_a_gradient_scaler(network: Network) -> None:
    network.float()
    reference, mixed = GradNorm(TASKS), GradNorm(TASKS)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    images, target = (tensor.float() for tensor in batch())
    network.total(reference, images, target).backward()
    with torch.autocast("cpu", dtype=torch.float16):
        total = network.total(mixed, images, target)
    scaler.scale(total).backward()
    reference.step()
    mixed.step()
    for task in TASKS:
        norm = reference.report()[f"gradient_norm/{task}"]
        assert_close(mixed.report()[f"gradient_norm/{task}"], norm, rtol=1e-2, atol=0)


def test_bfloat16_autocast(network: Network) -> None:
    network.float()
    reference, mixed = GradNorm(TASKS), GradNorm(TASKS)
    images, target = (tensor.float() for tensor in batch())
    network.total(reference, images, target).backward()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        network.total(mixed, images, target).backward()
    reference.step()
    mixed.step()
    assert mixed.current.dtype == torch.float32
    for task in TASKS:
        norm = reference.report()[f"gradient_norm/{task}"]
        assert_close(mixed.report()[f"gradient_norm/{task}"], norm, rtol=5e-2, atol=0)


def test_an_absent_task_keeps_its_weight_rate_and_moments(network: Network) -> None:
    weighting = GradNorm(TASKS).double()
    train(network, weighting, 3)
    before = copy.deepcopy(weighting.state_dict())
    for step in range(4):
        network.total(weighting, *batch(step), tasks=("a", "c")).backward()
        weighting.step()
    for name, value in weighting.state_dict().items():
        assert torch.equal(value[1], before[name][1]), name
    assert weighting.current.sum().item() == pytest.approx(3)
    assert not torch.equal(weighting.current, before["current"])


def test_a_task_that_comes_later_starts_then(network: Network) -> None:
    weighting = GradNorm(TASKS).double()
    network.total(weighting, *batch(), tasks=("a", "c")).backward()
    weighting.step()
    assert weighting.initial.isnan().tolist() == [False, True, False]
    network.total(weighting, *batch(1)).backward()
    weighting.step()
    assert not weighting.initial.isnan().any()
    assert weighting.current.isfinite().all()


def test_a_run_that_is_resumed_goes_on_with_the_same_weights(network: Network) -> None:
    weighting = GradNorm(TASKS).double()
    train(network, weighting, 3)
    copied, resumed = copy.deepcopy(network), GradNorm(TASKS).double()
    resumed.load_state_dict(copy.deepcopy(weighting.state_dict()))
    train(network, weighting, 4)
    train(copied, resumed, 4)
    assert torch.equal(resumed.current, weighting.current)


def test_weights_stay_above_zero(network: Network) -> None:
    """Losses of scales 1, 10 and 0.1 and a large step, with which the paper's weights become negative."""
    weighting = GradNorm(TASKS, optimizer="sgd", lr=5.0, smallest=0.01).double()
    for step in range(10):
        network.total(weighting, *batch(step)).backward()
        weighting.step()
        assert (weighting.current > 0).all()
        assert weighting.current.sum().item() == pytest.approx(3)


def test_evaluation_leaves_no_trace(network: Network) -> None:
    weighting = GradNorm(TASKS).double()
    for evaluate in (weighting.eval, lambda: None):
        evaluate()
        with torch.no_grad():
            network.total(weighting, *batch())
        weighting.train()
    network.total(weighting, *batch())  # a forward pass without a backward one
    assert weighting._gradients is None
    assert weighting.initial.isnan().all()


def test_a_frozen_last_layer_is_refused(network: Network) -> None:
    weighting = GradNorm(TASKS).double()
    network.last.weight.requires_grad_(False)
    with pytest.raises(ValueError, match=r"weight must require gradients: .* frozen last shared layer"):
        network.total(weighting, *batch())
    with pytest.raises(ValueError, match="features must come out of the last shared layer"):
        weighting.branch(torch.zeros(2, 3), nn.Parameter(torch.zeros(2)))


@pytest.mark.parametrize("branched", [False, True])
def test_heads_that_do_not_start_from_their_views_are_refused(network: Network, branched: bool) -> None:
    weighting, (images, target) = GradNorm(TASKS).double(), batch()
    features = network.features(images)
    if branched:
        weighting.branch(features, network.last.weight)
    weighting(network.losses(dict.fromkeys(TASKS, features), target)).backward()
    with pytest.raises(ValueError, match="measured no gradient of a, b, c; every task must start from its view"):
        weighting.step()


def test_trunk_and_heads_can_be_compiled(network: Network) -> None:
    """The block that holds W stays as it is."""
    plain, weighting, of_plain = copy.deepcopy(network), GradNorm(TASKS).double(), GradNorm(TASKS).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.compile itself
        compiled: list[Callable[..., Any]] = [network.stem, *network.heads.values()]
        for module in compiled:
            assert isinstance(module, nn.Module)
            module.compile(backend="aot_eager")
        for step in range(3):
            network.total(weighting, *batch(step)).backward()
            weighting.step()
    torch._dynamo.reset()
    for step in range(3):
        plain.total(of_plain, *batch(step)).backward()
        of_plain.step()
    assert_close(weighting.current, of_plain.current, rtol=1e-10, atol=0)
