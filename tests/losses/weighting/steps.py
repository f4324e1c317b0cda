"""Single steps of weightings on losses whose values and gradients are known."""

from typing import Any

import torch
from torch import Tensor

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
    MatchedGradients,
    RandomWeighting,
    UncertaintyWeighting,
    Weighting,
)

TASKS = ("seg", "depth", "edge")
LIKELIHOODS: dict[str, Any] = {"seg": "categorical", "depth": "laplace", "edge": "gaussian"}


def every_weighting() -> list[Weighting]:
    return [
        FixedWeighting(TASKS),
        UncertaintyWeighting(LIKELIHOODS),
        AnalyticUncertainty(TASKS),
        IMTLL(TASKS),
        DynamicWeightAverage(TASKS),
        GeometricMean(TASKS),
        STCH(TASKS),
        FAMO(TASKS),
        RandomWeighting(TASKS),
        GradNorm(TASKS),
        DBMTL(TASKS),
        MatchedGradients(TASKS, reference="seg"),
    ]


def losses_of(values: list[float], parameter: Tensor) -> dict[str, Tensor]:
    """Losses with these values, whose gradients in the parameter are 1, 2 and 3."""
    return {
        task: value + slope * (parameter - parameter.detach())
        for task, value, slope in zip(TASKS, values, (1, 2, 3), strict=False)
    }


def train(weighting: Weighting, values: list[float]) -> float:
    """One step; gives the gradient of the total in the parameter behind the losses."""
    parameter = torch.zeros((), requires_grad=True)
    weighting(losses_of(values, parameter)).backward()
    weighting.step()
    assert parameter.grad is not None
    return parameter.grad.item()


def weights(weighting: Weighting) -> list[float]:
    return [value.item() for name, value in weighting.report().items() if name.startswith("weight/")]
