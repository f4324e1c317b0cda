import copy
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from losses import FAMO
from tests.losses.weighting.network import TASKS as NETWORK_TASKS
from tests.losses.weighting.network import Network, batch
from tests.losses.weighting.steps import TASKS, losses_of, train, weights

Steps = list[tuple[list[float], list[float]]]  # the losses before and after each step

STEPS: Steps = [
    ([4.0, 0.9, 20.0], [3.5, 0.8, 19.9]),
    ([3.6, 0.7, 19.0], [3.7, 0.5, 18.0]),
    ([3.0, 0.8, 15.0], [1.0, 0.8, 16.0]),
]


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(logits) / np.exp(logits).sum())


def replay(steps: Steps, lr: float, gamma: float, smallest: list[float]) -> np.ndarray:
    """Algorithm 2 of the paper in NumPy, with Adam; the softmax is differentiated by its Jacobian."""
    xi, m, v, history = np.zeros(3), np.zeros(3), np.zeros(3), []
    for number, (before, after) in enumerate(steps, 1):
        delta = np.log(np.subtract(before, smallest)) - np.log(np.subtract(after, smallest))
        z = softmax(xi)
        gradient = (np.diag(z) - np.outer(z, z)) @ delta + gamma * xi
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        xi = xi - lr * (m / (1 - 0.9**number)) / (np.sqrt(v / (1 - 0.999**number)) + 1e-8)
        history.append(xi)
    return np.array(history)


def tensors(values: list[float]) -> dict[str, Tensor]:
    return {task: torch.tensor(value, dtype=torch.float64) for task, value in zip(TASKS, values, strict=False)}


def step(weighting: FAMO, before: list[float], after: list[float]) -> float:
    gradient = train(weighting, before)
    weighting.observe(tensors(after))
    return gradient


@pytest.mark.parametrize("smallest", [[0.0, 0.0, 0.0], [0.5, 0.2, 10.0]])
@pytest.mark.parametrize("gamma", [0.0, 0.1])
def test_totals_weights_and_logits_are_the_papers(smallest: list[float], gamma: float) -> None:
    bounds = dict(zip(TASKS, smallest, strict=True))
    weighting = FAMO(TASKS, lr=0.1, gamma=gamma, min_losses=bounds).double()
    logits = np.zeros(3)
    for (before, after), expected in zip(STEPS, replay(STEPS, 0.1, gamma, smallest), strict=True):
        distances, z = np.subtract(before, smallest), softmax(logits)
        c = 1 / (z / distances).sum()
        assert weighting(tensors(before)).item() == pytest.approx(c * (z * np.log(distances)).sum(), rel=1e-6)
        assert weights(weighting) == pytest.approx(c * z / distances, rel=1e-6)
        assert sum(weights(weighting)) == pytest.approx(1)
        assert step(weighting, before, after) == pytest.approx((c * z / distances) @ [1, 2, 3], rel=1e-5)
        np.testing.assert_allclose(weighting.logits.numpy(), expected, rtol=1e-5)
        logits = expected


def test_a_task_whose_loss_falls_less_counts_more() -> None:
    weighting = FAMO(TASKS)
    for _ in range(20):
        step(weighting, [4.0, 4.0, 4.0], [2.0, 4.0, 3.0])
    first, second, third = weighting.logits.tolist()
    assert first < 0 < second
    assert first < third < second


def test_the_scales_of_losses_do_not_count() -> None:
    one, other = FAMO(TASKS).double(), FAMO(TASKS).double()
    for before, after in STEPS:
        step(one, before, after)
        step(other, list(np.multiply(before, [100, 1, 0.01])), list(np.multiply(after, [100, 1, 0.01])))
    np.testing.assert_allclose(other.logits.numpy(), one.logits.numpy(), rtol=1e-5)
    shares = np.array(weights(one)) * STEPS[-1][0]
    of_other = np.array(weights(other)) * STEPS[-1][0] * [100, 1, 0.01]
    np.testing.assert_allclose(of_other / of_other.sum(), shares / shares.sum(), rtol=1e-5)


def test_it_balances_how_fast_the_losses_of_a_network_fall() -> None:
    """Tasks that differ in scale by a hundred fall at rates that differ less than with equal weights."""
    spreads = []
    for learns in True, False:
        torch.manual_seed(0)
        network, weighting = Network().double().eval(), FAMO(NETWORK_TASKS, lr=0.1).double()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
        images, target = batch()
        first = network.losses(dict.fromkeys(NETWORK_TASKS, network.features(images)), target)
        for _ in range(60):
            losses = network.losses(dict.fromkeys(NETWORK_TASKS, network.features(images)), target)
            optimizer.zero_grad()
            (weighting(losses) if learns else torch.stack(list(losses.values())).sum()).backward()
            if learns:
                weighting.step()
            optimizer.step()
            losses = network.losses(dict.fromkeys(NETWORK_TASKS, network.features(images)), target)
            if learns:
                weighting.observe(losses)
        fallen = [(first[task] / losses[task]).log().item() for task in NETWORK_TASKS]
        spreads.append(max(fallen) - min(fallen))
    assert spreads[0] < spreads[1] / 2


def test_accumulated_batches_count_as_their_mean() -> None:
    whole, parts = FAMO(TASKS).double(), FAMO(TASKS).double()
    for _ in range(3):
        step(whole, [3.0, 2.0, 5.0], [2.0, 1.0, 5.5])
        for values in [2.0, 1.0, 6.0], [4.0, 3.0, 4.0]:
            (parts(losses_of(values, torch.zeros((), requires_grad=True))) / 2).backward()
        parts.step()
        parts.observe(tensors([1.5, 1.0, 5.0]), tensors([2.5, 1.0, 6.0]))
    np.testing.assert_allclose(parts.logits.numpy(), whole.logits.numpy(), rtol=1e-10)


def test_absent_tasks_keep_their_logits_and_moments() -> None:
    weighting = FAMO(TASKS)
    step(weighting, *STEPS[0])
    before = copy.deepcopy(weighting.state_dict())
    step(weighting, [3.0, 2.0], [2.0, 1.9])
    assert sum(weights(weighting)) == pytest.approx(1)
    for name, value in weighting.state_dict().items():
        assert torch.equal(value[2], before[name][2]), name
        assert not torch.equal(value[:2], before[name][:2]), name


def test_a_run_that_is_resumed_goes_on_with_the_same_logits() -> None:
    weighting, resumed = FAMO(TASKS), FAMO(TASKS)
    step(weighting, *STEPS[0])
    resumed.load_state_dict(copy.deepcopy(weighting.state_dict()))
    for each in weighting, resumed:
        for before, after in STEPS[1:]:
            step(each, before, after)
    assert torch.equal(resumed.logits, weighting.logits)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_losses_that_are_not_finite_teach_nothing(value: float) -> None:
    weighting = FAMO(TASKS)
    step(weighting, [4.0, 3.0, 2.0], [value, 2.0, 1.9])
    assert weighting.adam.steps.tolist() == [0, 1, 1]
    assert weighting.logits.isfinite().all()


def test_a_loss_at_its_smallest_stays_finite() -> None:
    weighting = FAMO(TASKS)
    assert np.isfinite(step(weighting, [4.0, 0.0, 2.0], [3.0, 0.0, 1.0]))
    assert weighting.logits.isfinite().all()


def test_observing_comes_once_after_each_step() -> None:
    weighting = FAMO(TASKS)
    with pytest.raises(ValueError, match=r"observe\(\) comes after step\(\) and the optimizer's step, once for each"):
        weighting.observe(tensors([1.0, 2.0, 3.0]))
    step(weighting, *STEPS[0])
    with pytest.raises(ValueError, match="comes after step"):
        weighting.observe(tensors([1.0, 2.0, 3.0]))
    train(weighting, [1.0, 2.0, 3.0])
    weighting.skip()  # of the optimizer
    with pytest.raises(ValueError, match="comes after step"):
        weighting.observe(tensors([1.0, 2.0, 3.0]))
    train(weighting, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="losses must be of the tasks seg, depth, edge; got normals"):
        weighting.observe({"normals": torch.tensor(1.0)})


def test_observing_that_is_forgotten_is_told_once() -> None:
    weighting = FAMO(TASKS)
    train(weighting, [1.0, 2.0, 3.0])
    with pytest.warns(UserWarning, match=r"FAMO: step\(\) without observe\(\) after the last one"):
        train(weighting, [1.0, 2.0, 3.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(weighting, [1.0, 2.0, 3.0])
