"""Figures of losses: their curves, the landscape around a network's weights, and runs under several losses.

Each function returns a figure that ``figure.savefig("loss.png")`` writes. None of them opens a window, and pyplot,
which would keep every figure, is not used. ``python -m losses figures`` draws them all.
"""

from losses.figures.curves import REGRESSION_LOSSES, bce_curves, focal_curves, regression_curves
from losses.figures.landscape import loss_landscape
from losses.figures.runs import convergence, task_weights
from losses.figures.surface import filter_normalized_directions, loss_surface

__all__ = [
    "REGRESSION_LOSSES",
    "bce_curves",
    "convergence",
    "filter_normalized_directions",
    "focal_curves",
    "loss_landscape",
    "loss_surface",
    "regression_curves",
    "task_weights",
]
