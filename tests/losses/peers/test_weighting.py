"""Weightings beside TorchJD's scalarizers of the same papers."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from losses import FAMO, IMTLL, STCH, DynamicWeightAverage, GeometricMean, UncertaintyWeighting, Weighting

scalarization = pytest.importorskip("torchjd.scalarization")

TASKS = ("a", "b", "c")


def batches(count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)
    return [scales * (0.2 + torch.rand(3, dtype=torch.float64, generator=generator)) for _ in range(count)]


def total_and_gradient(function: Any, values: Tensor) -> tuple[Tensor, Tensor]:
    values = values.clone().requires_grad_()
    total = function(values)
    total.backward()
    assert values.grad is not None
    return total.detach(), values.grad


def ours(weighting: Weighting, values: Tensor) -> tuple[Tensor, Tensor]:
    return total_and_gradient(lambda x: weighting(dict(zip(TASKS, x, strict=True))), values)


@pytest.mark.parametrize(
    ("kind", "their_kind"), [(UncertaintyWeighting, scalarization.UW), (IMTLL, scalarization.IMTLL)]
)
def test_learned_weights_are_theirs_in_an_adam_of_the_same_rate(kind: Any, their_kind: Any) -> None:
    weighting, theirs = kind(TASKS, lr=0.1).double(), their_kind(3).double()
    adam = torch.optim.Adam(theirs.parameters(), lr=0.1)
    for values in batches(20):
        adam.zero_grad()
        assert_close(ours(weighting, values), total_and_gradient(theirs, values))
        weighting.step()
        adam.step()


def test_famo_is_theirs() -> None:
    """But for their 1e-8, which they add to each distance."""
    smallest = torch.tensor([0.1, 1.0, 0.01])
    weighting = FAMO(TASKS, lr=0.1, gamma=0.01, min_losses=dict(zip(TASKS, smallest.tolist(), strict=True))).double()
    theirs = scalarization.FAMO(3, min_losses=smallest, lr=0.1, weight_decay=0.01).double()
    for before, after in zip(batches(20), batches(21)[1:], strict=True):
        assert_close(ours(weighting, before), total_and_gradient(theirs, before), rtol=1e-5, atol=1e-6)
        weighting.step()
        weighting.observe(dict(zip(TASKS, after, strict=True)))
        theirs.update(after)
    assert_close(weighting.logits, theirs._w.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mu", [0.01, 1.0])
def test_stch_is_theirs_with_preferences_that_are_given(mu: float) -> None:
    """Theirs are 1/T where left out, ours 1; a warm-up they do not have."""
    preferences, ideal = (torch.tensor(x, dtype=torch.float64) for x in ([0.2, 0.3, 0.5], [0.1, 0.5, 0.0]))
    weighting = STCH(
        TASKS,
        mu=mu,
        warmup_epochs=0,
        weights=dict(zip(TASKS, preferences.tolist(), strict=True)),
        ideal=dict(zip(TASKS, ideal.tolist(), strict=True)),
    ).double()
    theirs = scalarization.STCH(mu, weights=preferences, reference=ideal)
    for values in batches(5):
        assert_close(ours(weighting, values), total_and_gradient(theirs, values), rtol=1e-5, atol=1e-7)


def test_dynamic_weight_average_and_geometric_mean_are_theirs() -> None:
    weighting, theirs = DynamicWeightAverage(TASKS).double(), scalarization.DWA()
    for number, values in enumerate(batches(12), 1):
        assert_close(ours(weighting, values), total_and_gradient(theirs, values))
        weighting.step()
        if number % 3 == 0:
            weighting.end_epoch()
            theirs.step()
        mean = GeometricMean(TASKS).double()
        assert_close(ours(mean, values), total_and_gradient(scalarization.GeometricMean(), values))
