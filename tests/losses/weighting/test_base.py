import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from losses import (
    DBMTL,
    FAMO,
    IMTLL,
    STCH,
    AnalyticUncertainty,
    DynamicWeightAverage,
    FixedWeighting,
    GeometricMean,
    GradNorm,
    RandomWeighting,
    UncertaintyWeighting,
    Weighting,
)
from losses.weighting.tap import TappedWeighting
from tests.losses.weighting.network import TASKS as NETWORK_TASKS
from tests.losses.weighting.network import Network, batch
from tests.losses.weighting.steps import LIKELIHOODS, TASKS, every_weighting, losses_of, train


@pytest.mark.parametrize("absent", ["missing", "none"])
def test_an_absent_task_keeps_what_is_remembered_of_it(absent: str) -> None:
    remembering = UncertaintyWeighting(LIKELIHOODS), IMTLL(TASKS), DynamicWeightAverage(TASKS), STCH(TASKS)
    for weighting in remembering:
        train(weighting, [1.0, 2.0, 3.0])
        before = {name: value.clone() for name, value in weighting.state_dict().items()}
        for _ in range(3):
            parameter = torch.zeros((), requires_grad=True)
            losses: dict[str, Tensor | None] = dict(losses_of([4.0, 5.0], parameter))
            if absent == "none":
                losses["edge"] = None
            weighting(losses).backward()
            weighting.step()
        for name, value in weighting.state_dict().items():
            if value.dim():
                assert torch.equal(value[2], before[name][2]) or (value[2].isnan() and before[name][2].isnan()), name
        assert any(not torch.equal(value[:2], before[name][:2]) for name, value in weighting.state_dict().items())


@pytest.mark.parametrize("make", [lambda: UncertaintyWeighting(LIKELIHOODS), lambda: IMTLL(TASKS), lambda: STCH(TASKS)])
def test_several_backward_passes_count_as_one_of_their_mean(make: Any) -> None:
    one, two = make(), make()
    train(one, [2.0, 3.0, 4.0])
    for values in [1.0, 3.0, 2.0], [3.0, 3.0, 6.0]:
        two(losses_of(values, torch.zeros((), requires_grad=True))).backward()
    two.step()
    for name, value in one.state_dict().items():
        assert_close(two.state_dict()[name], value, equal_nan=True)


@pytest.mark.parametrize("weighting", every_weighting(), ids=lambda weighting: type(weighting).__name__)
def test_what_is_only_looked_at_leaves_no_trace(weighting: Weighting) -> None:
    before = {name: value.clone() for name, value in weighting.state_dict().items()}
    parameter = torch.zeros((), requires_grad=True)
    weighting(losses_of([1.0, 2.0, 3.0], parameter))  # no backward
    with torch.no_grad():
        weighting(losses_of([1.0, 2.0, 3.0], parameter))
    if not isinstance(weighting, TappedWeighting | RandomWeighting):  # which refuse it, or draw lots
        weighting.step()
    for name, value in weighting.state_dict().items():
        assert_close(value, before[name], equal_nan=True)


def numbers_of(weighting: Weighting) -> list[Tensor]:
    """The state but for that of generators."""
    return [value for value in weighting.state_dict().values() if value.is_floating_point()]


class Operations(TorchDispatchMode):
    """Notes the names of what torch does."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(function))
        return function(*args, **(kwargs or {}))


def two_steps(weighting: Weighting, network: Network, images: Tensor, target: Tensor) -> dict[str, Tensor]:
    """All that a weighting does in training; returns what it reports."""
    names = dict(zip(NETWORK_TASKS, TASKS, strict=True))
    for _ in range(2):
        views = weighting.branch(network.features(images), network.last.weight)
        losses = network.losses({task: views[name] for task, name in names.items()}, target)
        by_name = {names[task]: loss for task, loss in losses.items()}
        weighting(by_name).backward()
        weighting.step()
        weighting.observe(by_name)
        weighting.end_epoch()
    return weighting.report()


@pytest.mark.parametrize("weighting", every_weighting(), ids=lambda weighting: type(weighting).__name__)
def test_the_state_moves_with_the_model_and_steps_are_those_of_the_cpu(weighting: Weighting, gpu: torch.device) -> None:
    network, on_device, resumed = Network(), copy.deepcopy(weighting).to(gpu), copy.deepcopy(weighting)
    images, target = (each.float() for each in batch())
    copied = copy.deepcopy(network).to(gpu)
    expected = two_steps(weighting, network, images, target)
    found = two_steps(on_device, copied, images.to(gpu), target.to(gpu))
    assert {value.device.type for value in numbers_of(on_device)} <= {gpu.type}
    for name, value in expected.items():
        assert_close(found[name].cpu(), value, rtol=1e-3, atol=1e-5, equal_nan=True)
    for mine, theirs in zip(copied.parameters(), network.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert_close(mine.grad.cpu(), theirs.grad, rtol=1e-2, atol=1e-4)  # of convolutions in TF32
    resumed.load_state_dict(on_device.state_dict())  # a checkpoint of a GPU goes on without one
    assert {value.device.type for value in resumed.buffers()} <= {"cpu"}


@pytest.mark.parametrize("weighting", every_weighting(), ids=lambda weighting: type(weighting).__name__)
def test_a_step_never_waits_for_a_device(weighting: Weighting) -> None:
    """No value is read, and nothing is indexed by a tensor, which may be of Python's numbers or of a mask."""
    if isinstance(weighting, GeometricMean):
        weighting.validate = False  # the option that waits
    network, numbers = Network().double(), batch()
    weighting.double()
    with Operations() as operations:
        two_steps(weighting, network, *numbers)
    waiting = ("_local_scalar_dense", "nonzero", "aten.index", "masked_select")
    assert [name for name in operations.names if any(each in name for each in waiting)] == []


@pytest.mark.parametrize("weighting", every_weighting(), ids=lambda weighting: type(weighting).__name__)
def test_conventions_of_all_weightings(weighting: Weighting) -> None:
    parameter = torch.zeros((), requires_grad=True)
    assert list(weighting.parameters()) == []
    weighting.bfloat16()
    assert {value.dtype for value in numbers_of(weighting)} <= {torch.float32}
    half = {task: loss.bfloat16() for task, loss in losses_of([1.0, 2.0, 3.0], parameter).items()}
    assert weighting(half).dtype == torch.float32
    assert set(weighting.report()) >= {f"weight/{task}" for task in TASKS}
    assert all(not value.requires_grad for value in weighting.report().values())
    assert weighting({}).item() == 0
    features = torch.randn(2, 3)
    views = weighting.eval().branch(features, nn.Parameter(features))
    assert all(views[task] is features for task in TASKS)
    with pytest.raises(ValueError, match="losses must be of the tasks seg, depth, edge; got normals"):
        weighting({"normals": parameter})
    with pytest.raises(ValueError, match=r"the loss of seg must be a scalar; got the shape \(2,\)"):
        weighting({"seg": torch.zeros(2)})


def test_a_default_dtype_of_half_precision_leaves_the_digits_alone() -> None:
    """Trainers set it where the whole model is in half precision, while modules are built and while they run."""
    torch.set_default_dtype(torch.bfloat16)
    try:
        weighting = FixedWeighting(["a"], weights={"a": 0.1})
        kept = [value for each in every_weighting() for value in numbers_of(each)]
        total = weighting({"a": torch.ones((), dtype=torch.bfloat16)})
    finally:
        torch.set_default_dtype(torch.float32)
    assert_close(total, torch.tensor(0.1))
    assert {value.dtype for value in kept} == {torch.float32}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedWeighting([]), "tasks must be one or more different names; got none"),
        (lambda: UncertaintyWeighting(["a", "a"]), "tasks must be one or more different names; got a, a"),
        (lambda: FixedWeighting(["a", "a"]), "tasks must be one or more different names; got a, a"),
        (lambda: FixedWeighting(["a"], weights={"b": 1}), "weights must have a value for each of a; got b"),
        (lambda: FixedWeighting(["a"], weights={"a": -1}), "weights must be a finite number at least 0; got -1"),
        (lambda: UncertaintyWeighting({"a": "poisson"}), "likelihood must be one of gaussian, laplace, categorical"),  # type: ignore[dict-item]
        (lambda: UncertaintyWeighting({"a": "laplace"}, lr=0), "lr must"),
        (lambda: UncertaintyWeighting({"a": "laplace"}, initial=11), "initial must"),
        (lambda: DynamicWeightAverage(["a"], temperature=0), "temperature must"),
        (lambda: AnalyticUncertainty(["a"], temperature=0), "temperature must be a finite number above 0; got 0"),
        (lambda: IMTLL(["a"], lr=0), "lr must"),
        (lambda: IMTLL(["a"], initial=-11), "initial must"),
        (lambda: IMTLL(["a"], limit=0), "limit must"),
        (lambda: FAMO(["a"], lr=0), "lr must"),
        (lambda: FAMO(["a"], gamma=-1), "gamma must"),
        (lambda: FAMO(["a"], min_losses={"b": 1}), "min_losses must have a value for each of a; got b"),
        (lambda: STCH(["a"], mu=0), "mu must"),
        (lambda: STCH(["a"], warmup_epochs=-1), "warmup_epochs must be a finite number at least 0; got -1"),
        (lambda: STCH(["a"], weights={"a": -1}), "weights must"),
        (lambda: STCH(["a"], ideal={"a": 1}), "ideal is for warmup_epochs of 0"),
        (lambda: RandomWeighting(["a"], seed=-1), "seed must"),
        (lambda: DBMTL(["a"], beta=-0.1), "beta must"),
        (lambda: DBMTL(["a"], beta=1), "beta must be below 1; got 1"),
        (lambda: GradNorm(["a"], alpha=-1), "alpha must"),
        (lambda: GradNorm(["a"], optimizer="lion"), "optimizer must be one of adam, sgd; got 'lion'"),  # type: ignore[arg-type]
        (lambda: GradNorm(["a"], initial_losses={"a": 0}), "initial_losses must be a finite number above 0; got 0"),
        (lambda: GradNorm(["a"], smallest=0), "smallest must"),
    ],
)
def test_bad_options_are_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [FixedWeighting, GradNorm, UncertaintyWeighting])
def test_a_string_is_not_the_names_of_its_letters(make: Any) -> None:
    with pytest.raises(TypeError, match=r"tasks must be several names, as in \['abc'\]; got the string 'abc'"):
        make("abc")


@pytest.mark.parametrize("weighting", every_weighting(), ids=lambda weighting: type(weighting).__name__)
def test_losses_and_features_are_tensors(weighting: Weighting) -> None:
    with pytest.raises(TypeError, match="the loss of seg must be a tensor; got float"):
        weighting({"seg": 1.0})
    for features in {"p3": torch.zeros(2)}, [], [torch.zeros(2), None]:
        with pytest.raises(TypeError, match="features must be a tensor, or a tuple or list of tensors; got "):
            weighting.eval().branch(features, nn.Parameter(torch.zeros(2)))


@pytest.mark.parametrize("weighting", every_weighting(), ids=lambda weighting: type(weighting).__name__)
@pytest.mark.parametrize("kind", [tuple, list])
def test_several_features_are_branched_alike(weighting: Weighting, kind: Any) -> None:
    weight = nn.Parameter(torch.ones(2))
    features = kind([weight * 2, weight * 3])
    views = weighting.branch(features, weight)
    assert views.keys() == set(TASKS)
    for view in views.values():
        assert type(view) is kind
        assert_close(list(view), list(features))


def test_a_step_that_is_forgotten_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("losses.weighting.base.MANY_PASSES", 3)
    parameter = torch.zeros((), requires_grad=True)
    weighting, fixed = UncertaintyWeighting(TASKS), FixedWeighting(TASKS)
    with pytest.warns(UserWarning, match=r"UncertaintyWeighting: 3 backward passes without a step\(\)") as told:
        for _ in range(7):
            weighting(losses_of([1.0, 2.0, 3.0], parameter)).backward()
            fixed(losses_of([1.0, 2.0, 3.0], parameter)).backward()  # has nothing to learn
    assert len(told) == 1
