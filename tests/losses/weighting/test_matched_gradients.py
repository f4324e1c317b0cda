import copy

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from losses import GradNorm, MatchedGradients
from tests.losses.weighting.network import TASKS, Network, batch


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network().double()


def of_each_task(network: Network, images: Tensor, target: Tensor) -> dict[str, dict[str, Tensor]]:
    """The gradients of each task's loss in all parameters, a backward pass each."""
    found = {}
    for task in TASKS:
        twin = copy.deepcopy(network)
        twin.losses(dict.fromkeys(TASKS, twin.features(images)), target)[task].backward()
        found[task] = {name: p.grad for name, p in twin.named_parameters() if p.grad is not None}
    return found


@pytest.mark.parametrize(("factor", "limit"), [(1.0, 1e4), (0.8, 1e4), (1.0, 0.5)])
def test_gradients_in_the_trunk_are_as_long_as_the_references(network: Network, factor: float, limit: float) -> None:
    images, target = batch()
    images, target = images.double(), target.double()
    own = of_each_task(network, images, target)
    weighting = MatchedGradients(TASKS, reference=TASKS[0], factor=factor, limit=limit).double()
    views = weighting.branch(network.features(images), network.last.weight)
    weighting(network.losses(views, target)).backward()
    weighting.step()
    norms = {task: own[task]["last.weight"].norm() for task in TASKS}
    scales = {task: (factor * norms[TASKS[0]] / (norms[task] + 1e-4)).clamp_max(limit) for task in TASKS}
    scales[TASKS[0]] = torch.tensor(1.0, dtype=torch.float64)
    for task in TASKS:
        assert_close(weighting.report()[f"weight/{task}"], scales[task], rtol=1e-12, atol=0)
    for name, parameter in network.named_parameters():
        if name.startswith("heads"):
            expected = own[name.split(".")[1]][name]
        else:
            expected = sum(scales[task] * own[task][name] for task in TASKS)  # type: ignore[assignment]
        assert parameter.grad is not None
        assert_close(parameter.grad, expected, rtol=1e-9, atol=1e-12)


def test_without_the_reference_gradients_are_as_they_are() -> None:
    last = nn.Linear(2, 2, bias=False)
    weighting = MatchedGradients(("a", "b"), reference="a")
    views = weighting.branch(last(torch.eye(2)), last.weight)
    weighting({"b": 3 * views["b"].sum()}).backward()
    weighting.step()
    assert torch.equal(last.weight.grad, torch.full((2, 2), 3.0))  # type: ignore[arg-type]


def test_gradnorm_with_alpha_0_goes_to_the_same_lengths() -> None:
    """Up to the factor that all weights of GradNorm share."""
    found = {}
    for name, make in {
        "matched": lambda: MatchedGradients(("a", "b"), reference="a"),
        "gradnorm": lambda: GradNorm(("a", "b"), alpha=0),
    }.items():
        torch.manual_seed(0)
        last = nn.Linear(2, 2, bias=False).double()
        weighting = make().double()
        for _ in range(400):
            views = weighting.branch(last(torch.eye(2, dtype=torch.float64)), last.weight)
            weighting({"a": views["a"].sum(), "b": 7 * views["b"].sum()}).backward()
            weighting.step()
        report = weighting.report()
        found[name] = (report["weight/b"] / report["weight/a"]).item()
    assert found["matched"] == pytest.approx(1 / 7, rel=1e-4)
    assert found["gradnorm"] == pytest.approx(1 / 7, rel=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": "c"}, "reference must be of the tasks a, b; got c"),
        ({"reference": "a", "limit": 0}, "limit must"),
    ],
)
def test_options_outside_their_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MatchedGradients(("a", "b"), **options)  # type: ignore[arg-type]
