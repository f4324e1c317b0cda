"""Weightings: one total out of the losses of several tasks."""

from losses.convention import Likelihood
from losses.weighting.aggregated import AggregatedGradients
from losses.weighting.analytic_uncertainty import AnalyticUncertainty
from losses.weighting.base import Weighting
from losses.weighting.dbmtl import DBMTL
from losses.weighting.dynamic_weight_average import DynamicWeightAverage
from losses.weighting.famo import FAMO
from losses.weighting.fixed import FixedWeighting
from losses.weighting.geometric_mean import GeometricMean
from losses.weighting.gradnorm import GradNorm
from losses.weighting.imtll import IMTLL
from losses.weighting.matched_gradients import MatchedGradients
from losses.weighting.random_weighting import RandomWeighting
from losses.weighting.static_weights import time_average
from losses.weighting.stch import STCH
from losses.weighting.uncertainty import UncertaintyWeighting

__all__ = [
    "DBMTL",
    "FAMO",
    "IMTLL",
    "STCH",
    "AggregatedGradients",
    "AnalyticUncertainty",
    "DynamicWeightAverage",
    "FixedWeighting",
    "GeometricMean",
    "GradNorm",
    "Likelihood",
    "MatchedGradients",
    "RandomWeighting",
    "UncertaintyWeighting",
    "Weighting",
    "time_average",
]
