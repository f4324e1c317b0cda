import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from losses import CrossEntropyLoss, CurriculumLoss, MSELoss, curriculum_loss

PACINGS: list[Any] = ["linear", "root", "step"]


def test_the_mean_is_over_the_easiest_samples() -> None:
    each = torch.tensor([4.0, 1.0, 3.0, 2.0], requires_grad=True)
    value = curriculum_loss(each, 0.5)
    value.backward()
    assert value == 1.5
    assert each.grad is not None
    assert each.grad.tolist() == [0, 0.5, 0, 0.5]
    assert curriculum_loss(each, 0.5, reduction="none").tolist() == [0, 1, 0, 2]
    assert curriculum_loss(each, 0.5, reduction="sum") == 3


def test_a_difficulty_of_ones_own() -> None:
    each, difficulty = torch.tensor([4.0, 1.0, 3.0, 2.0]), torch.tensor([0, 3, 1, 2])
    assert curriculum_loss(each, 0.5, difficulty=difficulty) == 3.5
    with pytest.raises(ValueError, match=r"got \(4,\) and \(2,\)"):
        curriculum_loss(each, 0.5, difficulty=difficulty[:2])


@given(st.integers(1, 200), st.integers(1, 20))
def test_the_number_of_samples_is_rounded_up_and_never_zero(n: int, tenths: int) -> None:
    fraction = min(tenths / 10, 1.0)
    selected = curriculum_loss(torch.ones(n), fraction, reduction="sum")
    assert selected == math.ceil(round(n * fraction, 6))


def test_the_rounding_of_the_fraction_selects_no_sample_too_many() -> None:
    """0.1 + 0.9 * 2/3 is 0.7, in float32 a little more: 7 of 10 samples, not 8."""
    loss = CurriculumLoss(lambda each: each, epochs=3, start=0.1, reduction="sum")
    loss.set_epoch(2)
    assert loss(torch.ones(10)) == 7


def test_equal_losses_are_selected_as_many_as_they_should() -> None:
    assert curriculum_loss(torch.ones(10), 0.3, reduction="sum") == 3


def test_maps_are_a_sample_each() -> None:
    """As many rows as samples: weights of the samples would broadcast over the rows."""
    maps = torch.stack([torch.full((2, 2), 1.0), torch.full((2, 2), 5.0)])
    assert curriculum_loss(maps, 0.5) == 1
    assert curriculum_loss(maps, 1.0) == 3


@pytest.mark.parametrize("pacing", PACINGS)
def test_pacing_starts_at_the_start_rises_and_ends_at_all(pacing: Any) -> None:
    loss = CurriculumLoss(MSELoss(reduction="none"), epochs=10, start=0.2, pacing=pacing)
    fractions = []
    for epoch in range(13):
        loss.set_epoch(epoch)
        fractions.append(loss.fraction.item())
    assert fractions[0] == pytest.approx(0.2)
    assert fractions == sorted(fractions)
    assert fractions[10:] == pytest.approx([1, 1, 1])
    expected = {"linear": 0.6, "root": math.sqrt(0.04 + 0.96 * 0.5), "step": 0.2 + 0.8 * 2 / 5}[pacing]
    assert fractions[5] == pytest.approx(expected)


def test_steps() -> None:
    loss = CurriculumLoss(MSELoss(reduction="none"), epochs=6, start=0.4, pacing="step", steps=3)
    fractions = []
    for epoch in range(7):
        loss.set_epoch(epoch)
        fractions.append(round(loss.fraction.item(), 6))
    assert fractions == [0.4, 0.4, 0.6, 0.6, 0.8, 0.8, 1.0]


def test_the_epoch_survives_a_checkpoint() -> None:
    loss = CurriculumLoss(MSELoss(reduction="none"), epochs=10)
    loss.set_epoch(7)
    resumed = CurriculumLoss(MSELoss(reduction="none"), epochs=10)
    resumed.load_state_dict(loss.state_dict())
    assert_close(resumed.fraction, loss.fraction)
    assert resumed.fraction > 0.7


def test_any_loss_of_samples_can_be_wrapped() -> None:
    logits, target = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    loss = CurriculumLoss(CrossEntropyLoss(reduction="none"), epochs=1, start=0.5)
    each = torch.nn.functional.cross_entropy(logits, target, reduction="none")
    assert_close(loss(logits, target), each.sort().values[:2].mean())
    loss.set_epoch(1)
    assert_close(loss(logits, target), each.mean())
    function = CurriculumLoss(lambda x: x.square(), epochs=1, start=0.5)
    assert function(torch.tensor([3.0, 1.0])) == 1
    assert function(torch.tensor([3.0, 1.0]), difficulty=torch.tensor([0, 1])) == 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a finite number above 0; got 0"),
        ({"epochs": 5, "start": 0}, "start must be a finite number above 0 and at most 1; got 0"),
        ({"epochs": 5, "pacing": "exponential"}, "pacing must be one of linear, root, step"),
        ({"epochs": 5, "steps": 0}, "steps must be"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CurriculumLoss(MSELoss(reduction="none"), **options)


def test_a_loss_that_is_reduced_already_is_refused() -> None:
    with pytest.raises(ValueError, match="loss must have the reduction none, one loss per sample; got 'mean'"):
        CurriculumLoss(MSELoss(), epochs=5)
    with pytest.raises(ValueError, match="epoch must be a finite number at least 0; got -1"):
        CurriculumLoss(MSELoss(reduction="none"), epochs=5).set_epoch(-1)
