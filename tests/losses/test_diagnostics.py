import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import losses
from losses import ChanceLevel, chance_level, check_finite, gradient_flow
from losses.convention import Loss
from tests.losses.catalogue import CASES, Case, loss_of


def test_finite_losses_pass_also_below_zero() -> None:
    check_finite(torch.tensor(-3.0), step=1)
    check_finite({"critic": torch.tensor(-3.0), "map": torch.zeros(2, 2)}, step=1)
    check_finite({}, step=1)


def test_what_is_not_finite_is_named_with_the_step() -> None:
    with pytest.raises(FloatingPointError, match=r"not finite at step 7: depth \(nan\), map \(inf\)"):
        check_finite(
            {"seg": torch.tensor(1.0), "depth": torch.tensor(float("nan")), "map": torch.tensor([1.0, float("inf")])},
            step=7,
        )
    with pytest.raises(FloatingPointError, match=r"step 7: loss \(nan\)"):
        check_finite(torch.tensor(float("nan"), dtype=torch.float16), step=7)


def test_other_steps_are_not_looked_at() -> None:
    check_finite(torch.tensor(float("nan")), step=7, every=10)
    with pytest.raises(FloatingPointError):
        check_finite(torch.tensor(float("nan")), step=20, every=10)
    with pytest.raises(ValueError, match="every must"):
        check_finite(torch.tensor(0.0), step=1, every=0)


EMBEDDINGS = torch.randn(16, 8)
CHANCE = [
    (losses.CrossEntropyLoss(), (torch.empty(64, 10), torch.arange(64) % 10), math.log(10)),
    (losses.FocalLoss(gamma=2), (torch.empty(64, 10), torch.arange(64) % 10), 0.9**2 * math.log(10)),
    (losses.ProbabilityL1Loss(), (torch.empty(64, 10), torch.arange(64) % 10), 1.8),
    (losses.KLDivWithLogitsLoss(), (torch.empty(4, 3), torch.zeros(4, 3)), 0.0),
    (losses.BCEWithLogitsLoss(), (torch.empty(64), torch.arange(64) % 2), math.log(2)),
    (losses.BCEFromProbs(), (torch.empty(64), torch.arange(64) % 2), math.log(2)),
    (losses.MultiLabelLoss(labels="sum"), (torch.empty(8, 5), torch.zeros(8, 5)), 5 * math.log(2)),
    (losses.BinaryFocalLoss(alpha=None), (torch.empty(64), torch.arange(64) % 2), 0.25 * math.log(2)),
    (losses.MSELoss(), (torch.empty(4), torch.tensor([0.0, 0.0, 2.0, 2.0])), 1.0),
    (losses.L1Loss(), (torch.empty(4), torch.tensor([0.0, 0.0, 4.0, 4.0])), 2.0),
    (losses.RMSELoss(), (torch.empty(4), torch.tensor([0.0, 0.0, 4.0, 4.0])), 2.0),
    (losses.CharbonnierLoss(eps=3), (torch.empty(4), torch.tensor([0.0, 0.0, 8.0, 8.0])), 5.0),
    (losses.BerHuLoss(threshold=1), (torch.empty(4), torch.tensor([0.0, 0.0, 4.0, 4.0])), 2.5),
    (  # the mean is 3: of log 1.5 and log 0.75 the variance, and half of the square of the mean
        losses.SILogLoss(),
        (torch.empty(1, 4), torch.tensor([[2.0, 2.0, 4.0, 4.0]])),
        math.log(2) ** 2 / 4 + math.log(1.5 * 0.75) ** 2 / 8,
    ),
    (losses.GradientMatchingLoss(scales=1), (torch.empty(1, 1, 4), torch.tensor([[[0.0, 0.0, 4.0, 4.0]]])), 1.0),
    (
        losses.SumLoss({"l1": losses.L1Loss(), "mse": losses.MSELoss()}, weights={"mse": 0.5}),
        (torch.empty(4), torch.tensor([0.0, 0.0, 4.0, 4.0])),
        4.0,
    ),
    (losses.GaussianNLLLoss(), (torch.empty(2), torch.tensor([-2.0, 2.0]), torch.empty(2)), 0.5 * (math.log(4) + 1)),
    (losses.CosineLoss(), (torch.empty(8, 3), EMBEDDINGS[:8, :3]), 1.0),
    (losses.TripletLoss(margin=0.3), (EMBEDDINGS, EMBEDDINGS, EMBEDDINGS), 0.3),
    (losses.OnlineTripletLoss(margin=0.3), (EMBEDDINGS, torch.arange(16) % 4), 0.3),
    (losses.ContrastiveLoss(margin=2), (EMBEDDINGS, EMBEDDINGS, torch.arange(16) % 2), 1.0),
    (losses.InfoNCELoss(), (EMBEDDINGS, EMBEDDINGS), math.log(16)),
    (losses.NTXentLoss(), (EMBEDDINGS, EMBEDDINGS), math.log(31)),
    (losses.GANLoss("vanilla"), (torch.empty(4, 1, 5, 5), True), math.log(2)),
    (losses.RelativisticGANLoss(), (torch.empty(4, 1, 5, 5), torch.empty(4, 1, 5, 5)), math.log(2)),
    (losses.LeCamPenalty(), (torch.empty(4, 1, 5, 5), torch.empty(4, 1, 5, 5)), 0.0),
    (losses.GANLoss("hinge"), (torch.empty(4, 1, 5, 5), False), 1.0),
    (losses.DiceLoss(smooth=0), (torch.empty(2, 2, 10), torch.arange(20).view(2, 10) % 2), 0.5),
    (losses.LovaszLoss(), (torch.empty(2, 2, 10), torch.arange(20).view(2, 10) % 2), 0.5),
    (losses.GeneralizedDiceLoss(smooth=0), (torch.empty(2, 2, 10), torch.arange(20).view(2, 10) % 2), 0.5),
    (losses.IoULoss(), (torch.empty(2, 4), torch.tensor([[0.0, 0, 2, 2], [2.0, 0, 4, 2]])), 1 - 2 / 6),
    (  # waves of amplitude 3 around their mean
        losses.FocalFrequencyLoss(),
        (torch.empty(1, 1, 1, 4), torch.tensor([[[[8.0, 2.0, 8.0, 2.0]]]])),
        9.0,
    ),
    (losses.TotalVariationLoss(), (torch.empty(1, 1, 4, 4),), 0.0),
    (  # the mean is 2; two of three columns are left where the third, with an error of 4, is moved out
        losses.ShiftTolerantL1Loss(max_shift=1),
        (torch.empty(1, 1, 3, 3), torch.tensor([[[[0.0, 0.0, 6.0]] * 3]])),
        2.0,
    ),
    (losses.SSIMLoss(), (torch.empty(1, 1, 16, 16), torch.full((1, 1, 16, 16), 0.5)), 0.0),
    (
        losses.VAELoss(),
        (torch.empty(2, 6), torch.zeros(2, 6), torch.empty(2, 3), torch.empty(2, 3)),
        6 * math.log(2),
    ),
    (
        losses.CurriculumLoss(losses.CrossEntropyLoss(reduction="none"), epochs=3),
        (torch.empty(64, 10), torch.arange(64) % 10),
        math.log(10),
    ),
]


@pytest.mark.parametrize(("loss", "inputs", "value"), CHANCE, ids=lambda value: type(value).__name__)
def test_the_chance_level_of_each_loss_in_closed_form(loss: nn.Module, inputs: tuple[Any, ...], value: float) -> None:
    level = chance_level(loss, *inputs)
    assert level.value == pytest.approx(value, rel=1e-5, abs=1e-7)
    assert level.tolerance > 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_loss_has_a_chance_level(case: Case) -> None:
    level = chance_level(case.build(), *case.inputs(), draws=3)
    assert math.isfinite(level.value)
    assert math.isfinite(level.tolerance)


def test_the_tolerance_falls_with_the_root_of_the_number_of_samples() -> None:
    """d loss / d logits is (1/C - [c = y]): the deviation of a mean over N is 0.1 sqrt((1 - 1/C) / N)."""
    loss, tolerances = losses.CrossEntropyLoss(), []
    for n in 100, 2500:
        level = chance_level(loss, torch.empty(n, 10), torch.arange(n) % 10, draws=200)
        shift = 0.1**2 / 2 * (1 - 1 / 10)  # of the mean, from the curvature
        expected = 3 * math.hypot(0.1 * math.sqrt(0.9 / n), shift)
        assert level.tolerance == pytest.approx(expected, rel=0.25)
        tolerances.append(level.tolerance)
    assert tolerances[1] < tolerances[0]


def test_collapsed_embeddings_are_a_point_and_a_little_around_it() -> None:
    """Random directions would be somewhere else: their cosines, divided by the temperature, are far from alike."""
    for loss in losses.InfoNCELoss(), losses.NTXentLoss():
        assert chance_level(loss, EMBEDDINGS, EMBEDDINGS).tolerance < 0.3


def test_random_logits_are_no_chance_level() -> None:
    target = torch.arange(1000) % 10
    level = chance_level(losses.CrossEntropyLoss(), torch.empty(1000, 10), target)
    cost = losses.cross_entropy_loss(torch.randn(1000, 10), target)
    assert cost.item() == pytest.approx(2.73, abs=0.1)
    assert cost - level.value > level.tolerance


def test_a_head_that_knows_the_frequencies_costs_their_entropy() -> None:
    frequencies = torch.tensor([0.7, 0.2, 0.1])
    target = torch.tensor([0] * 7 + [1] * 2 + [2])
    level = chance_level(losses.CrossEntropyLoss(), torch.empty(10, 3), target, bias=frequencies.log())
    assert level.value == pytest.approx(-(frequencies * frequencies.log()).sum().item(), rel=1e-5)


def test_the_global_random_state_is_not_touched() -> None:
    before = torch.get_rng_state()
    inputs = torch.empty(8, 4), torch.arange(8) % 4
    assert isinstance(chance_level(losses.CrossEntropyLoss(), *inputs), ChanceLevel)
    assert torch.equal(torch.get_rng_state(), before)
    assert chance_level(losses.CrossEntropyLoss(), *inputs) == chance_level(losses.CrossEntropyLoss(), *inputs)


class Branches(nn.Module):
    """Five parameters that a backward pass reaches in different ways."""

    def __init__(self) -> None:
        super().__init__()
        names = ("good", "unused", "dead", "faint", "loud", "broken")
        for name in names:
            setattr(self, name, nn.Parameter(torch.ones(4)))
        self.frozen = nn.Parameter(torch.ones(4), requires_grad=False)

    def forward(self) -> Tensor:
        scales = {self.good: 1.0, self.dead: 0.0, self.faint: 1e-10, self.loud: 1e5, self.broken: float("nan")}
        return torch.stack([(scale * parameter).sum() for parameter, scale in scales.items()]).sum()


def test_the_gradient_flow_of_a_model() -> None:
    model = Branches()
    model().backward()
    flow = gradient_flow(model)
    assert {each.name: each.status for each in flow.parameters} == {
        "good": "ok",
        "unused": "none",
        "dead": "zero",
        "faint": "vanishing",
        "loud": "exploding",
        "broken": "non-finite",
    }
    rms = {each.name: each.rms for each in flow.parameters}
    assert rms["good"] == pytest.approx(1.0)
    assert rms["unused"] is None
    assert rms["faint"] == pytest.approx(1e-10)
    assert [each.name for each in flow.problems] == ["unused", "dead", "faint", "loud", "broken"]
    assert str(flow).splitlines()[:2] == ["good    1.00e+00  ok", "unused         -  none"]


def test_the_gradient_flow_asks_the_device_once() -> None:
    """All norms in one operation, and none read by itself."""

    class Operations(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.names: list[str] = []

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.names.append(str(function))
            return function(*args, **(kwargs or {}))

    model = nn.Sequential(*(nn.Linear(3, 3) for _ in range(5)))
    model(torch.ones(1, 3)).sum().backward()
    with Operations() as operations:
        assert len(gradient_flow(model).parameters) == 10
    assert sum("norm" in name for name in operations.names) == 1
    assert not any("_local_scalar_dense" in name for name in operations.names)


def test_limits_of_the_gradient_flow_are_options_and_half_gradients_do_not_overflow() -> None:
    model = nn.Linear(3, 2).half()
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 6e4)
    assert [each.status for each in gradient_flow(model, exploding=1e5).parameters] == ["ok", "ok"]
    assert [each.status for each in gradient_flow(model, vanishing=7e4).parameters] == ["vanishing", "vanishing"]
    assert gradient_flow(nn.ReLU()).parameters == []
    assert str(gradient_flow(nn.ReLU())) == ""


def test_the_catalogue_of_chance_levels_covers_every_family() -> None:
    families = {type(loss).__module__ for loss, _, _ in CHANCE}
    of_features = {"losses.perceptual", "losses.feature_matching"}  # which have no level that a table could tell
    assert families == {cls.__module__ for cls in _modules()} - of_features


def _modules() -> list[type]:
    values = [getattr(losses, name) for name in losses.__all__]
    return [value for value in values if isinstance(value, type) and issubclass(value, Loss)]


def test_half_precision_predictions_have_a_chance_level() -> None:
    level = chance_level(losses.CrossEntropyLoss(), torch.empty(8, 4, dtype=torch.float16), torch.arange(8) % 4)
    assert level.value == pytest.approx(math.log(4), rel=1e-5)
    assert loss_of(losses.CrossEntropyLoss()(torch.zeros(8, 4), torch.arange(8) % 4)).item() == pytest.approx(
        level.value
    )
