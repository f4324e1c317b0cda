"""Weightings: one total out of the losses of several tasks."""

from losses.weighting.aggregated import AggregatedGradients
from losses.weighting.base import Weighting
from losses.weighting.dynamic_weight_average import DynamicWeightAverage
from losses.weighting.fixed import FixedWeighting
from losses.weighting.geometric_mean import GeometricMean
from losses.weighting.gradnorm import GradNorm
from losses.weighting.static_weights import time_average
from losses.weighting.uncertainty import Likelihood, UncertaintyWeighting

__all__ = [
    "AggregatedGradients",
    "DynamicWeightAverage",
    "FixedWeighting",
    "GeometricMean",
    "GradNorm",
    "Likelihood",
    "UncertaintyWeighting",
    "Weighting",
    "time_average",
]
