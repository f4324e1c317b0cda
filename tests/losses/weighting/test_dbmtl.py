import copy
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from losses import DBMTL
from tests.losses.weighting.network import SCALES, TASKS, Network, batch


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network().double()


def gradients(network: nn.Module) -> dict[str, Tensor]:
    found = {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}
    network.zero_grad()
    return found


def of_each_task(network: Network, images: Tensor, target: Tensor) -> dict[str, dict[str, Tensor]]:
    """The gradients of the logarithm of each task's loss in all parameters, a backward pass each."""
    found = {}
    for task in TASKS:
        twin = copy.deepcopy(network)
        twin.losses(dict.fromkeys(TASKS, twin.features(images)), target)[task].log().backward()
        found[task] = gradients(twin)
    return found


class Replay:
    """The formula, from the gradients of each task: scales by moving averages in W, corrected for their start."""

    def __init__(self, beta: float) -> None:
        self.beta = beta
        self.averages: dict[str, Tensor | float] = dict.fromkeys(TASKS, 0.0)
        self.steps = 0

    def scales(self, own: dict[str, dict[str, Tensor]]) -> dict[str, float]:
        self.steps += 1
        norms = {}
        for task, of_task in own.items():
            average = self.beta * self.averages[task] + (1 - self.beta) * of_task["last.weight"]
            self.averages[task] = average
            norms[task] = (average / (1 - self.beta**self.steps)).norm().item()
        return {task: max(norms.values()) / norm for task, norm in norms.items()}


def assert_scaled(
    found: dict[str, Tensor], own: dict[str, dict[str, Tensor]], scales: dict[str, float], tasks: Sequence[str] = TASKS
) -> None:
    """The trunk follows the scaled sum, each head its own logarithm."""
    for name, gradient in found.items():
        if name.startswith("heads"):
            expected = own[name.split(".")[1]][name]
        else:
            expected = torch.stack([scales[task] * own[task][name] for task in tasks]).sum(0)
        assert_close(gradient, expected, rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_trunk_and_heads_get_the_gradients_of_the_formula(network: Network, beta: float) -> None:
    weighting, replay = DBMTL(TASKS, beta=beta).double(), Replay(beta)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02)
    for step in range(5):
        own = of_each_task(network, *batch(step))
        losses = network.losses(dict.fromkeys(TASKS, copy.deepcopy(network).features(batch(step)[0])), batch(step)[1])
        total = network.total(weighting, *batch(step))
        assert_close(total, torch.stack(list(losses.values())).log().sum())
        total.backward()
        weighting.step()
        scales = replay.scales(own)
        report = weighting.report()
        assert [report[f"gradient_scale/{task}"].item() for task in TASKS] == pytest.approx(list(scales.values()))
        assert [report[f"weight/{task}"].item() for task in TASKS] == pytest.approx(
            [1 / losses[task].item() for task in TASKS]
        )
        found = {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}
        assert_scaled(found, own, scales)
        optimizer.step()
        optimizer.zero_grad()
    assert max(scales.values()) > 1.1


def test_scaled_gradients_are_as_long_as_the_longest(network: Network) -> None:
    weighting = DBMTL(TASKS, beta=0.0).double()
    own = of_each_task(network, *batch())
    network.total(weighting, *batch()).backward()
    norms = {task: own[task]["last.weight"].norm().item() for task in TASKS}
    for task in TASKS:
        scaled = weighting.report()[f"gradient_scale/{task}"].item() * norms[task]
        assert scaled == pytest.approx(max(norms.values()))
    assert max(norms.values()) > 1.05 * min(norms.values())


def test_the_scales_of_losses_do_not_count(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    network.total(DBMTL(TASKS).double(), *batch()).backward()
    expected = gradients(network)
    for task, factor in zip(TASKS, (1e-3, 7.0, 1e4), strict=True):
        monkeypatch.setitem(SCALES, task, factor * SCALES[task])
    network.total(DBMTL(TASKS).double(), *batch()).backward()
    assert_close(gradients(network), expected, rtol=1e-9, atol=1e-13)


def test_a_loss_scaler_changes_nothing_and_infinite_gradients_go_on_for_it_to_see(network: Network) -> None:
    plain, scaled, twin = DBMTL(TASKS).double(), DBMTL(TASKS).double(), copy.deepcopy(network)
    for step in range(3):
        network.total(plain, *batch(step)).backward()
        (65536 * twin.total(scaled, *batch(step))).backward()
        expected = {name: 65536 * gradient for name, gradient in gradients(network).items()}
        assert_close(gradients(twin), expected, rtol=1e-12, atol=1e-9)
        plain.step()
        scaled.step()
    before = copy.deepcopy(scaled.state_dict())
    (float("inf") * twin.total(scaled, *batch(7))).backward()
    assert not gradients(twin)["last.weight"].isfinite().any()
    scaled.step()
    for name, value in scaled.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_accumulated_batches_move_the_averages_once(network: Network) -> None:
    """Two halves, the loss divided by two; the averages are those of the mean of their gradients."""
    network.eval()
    weighting, (images, target) = DBMTL(TASKS, beta=0.5).double(), batch()
    mean = torch.zeros(3, *network.last.weight.shape, dtype=torch.float64)
    for part in range(2):
        own = of_each_task(network, images[part::2], target[part::2])
        mean += torch.stack([own[task]["last.weight"] for task in TASKS]) / 2
        (network.total(weighting, images[part::2], target[part::2]) / 2).backward()
    weighting.step()
    assert_close(weighting.get_extra_state(), mean / 2, rtol=1e-10, atol=1e-14)
    assert weighting.steps.tolist() == [1, 1, 1]


def test_an_absent_task_keeps_its_average(network: Network) -> None:
    weighting = DBMTL(TASKS, beta=0.5).double()
    network.total(weighting, *batch()).backward()
    weighting.step()
    before = copy.deepcopy(weighting.state_dict())
    network.zero_grad()
    own = of_each_task(network, *batch(1))
    network.total(weighting, *batch(1), tasks=("a", "c")).backward()
    weighting.step()
    scales = {task: weighting.report()[f"gradient_scale/{task}"].item() for task in TASKS}
    assert scales["b"] != scales["b"] and min(scales["a"], scales["c"]) == 1
    assert_scaled(gradients(network), own, scales, ("a", "c"))
    for value, old in zip(weighting.state_dict().values(), before.values(), strict=True):
        assert torch.equal(value[1], old[1]) and not torch.equal(value[0], old[0])


def test_a_task_that_comes_later_is_measured_by_its_own_steps(network: Network) -> None:
    """The same batch again: its average is the gradient of one step, and not a tenth of it."""
    weighting = DBMTL(TASKS, beta=0.9).double()
    for step in range(4):
        network.total(weighting, *batch(), tasks=TASKS if step == 3 else ("a", "c")).backward()
        weighting.step()
    norms = [of_task["last.weight"].norm().item() for of_task in of_each_task(network, *batch()).values()]
    found = [weighting.report()[f"gradient_scale/{task}"].item() for task in TASKS]
    assert found == pytest.approx([max(norms) / norm for norm in norms])
    assert weighting.steps.tolist() == [4, 1, 4]


def test_a_run_that_is_resumed_goes_on_with_the_same_averages(network: Network) -> None:
    weighting, resumed, twin = DBMTL(TASKS).double(), DBMTL(TASKS).double(), copy.deepcopy(network)
    assert resumed.get_extra_state().numel() == 0
    resumed.load_state_dict(copy.deepcopy(resumed.state_dict()))  # before the first step
    network.total(weighting, *batch()).backward()
    weighting.step()
    gradients(network)
    resumed.load_state_dict(copy.deepcopy(weighting.state_dict()))
    for step in range(1, 4):
        for each, of_each in (network, weighting), (twin, resumed):
            each.total(of_each, *batch(step)).backward()
            of_each.step()
        assert all(map(torch.equal, gradients(network).values(), gradients(twin).values()))
    assert torch.equal(resumed.get_extra_state(), weighting.get_extra_state())


def test_a_task_without_a_gradient_is_left_alone(network: Network) -> None:
    weighting, (images, target) = DBMTL(TASKS).double(), batch()
    network.heads["b"][0].weight.data.zero_()
    network.total(weighting, images, target).backward()
    weighting.step()
    assert weighting.report()["gradient_scale/b"] == 1
    assert all(gradient.isfinite().all() for gradient in gradients(network).values())


def test_bfloat16_autocast(network: Network) -> None:
    network.float()
    reference, mixed = DBMTL(TASKS), DBMTL(TASKS)
    images, target = (tensor.float() for tensor in batch())
    network.total(reference, images, target).backward()
    expected = gradients(network)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        network.total(mixed, images, target).backward()
    found = gradients(network)
    mixed.step()
    assert mixed.get_extra_state().dtype == torch.float32
    largest = expected["last.weight"].abs().max().item()
    assert_close(found["last.weight"], expected["last.weight"], rtol=0.1, atol=0.1 * largest)
