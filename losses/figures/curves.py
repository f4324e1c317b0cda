"""Curves of the losses, as functions of an error or a probability."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from losses.binary import bce_from_probs
from losses.classification import focal_loss
from losses.figures.style import leave_out_the_steepest, new_panels
from losses.regression import asymmetric_mse_loss, huber_loss, l1_loss, log_cosh_loss, mse_loss, smooth_l1_loss

REGRESSION_LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "MSE": mse_loss,
    "L1": l1_loss,
    "Huber (delta 1)": huber_loss,
    "smooth L1 (beta 0.5)": functools.partial(smooth_l1_loss, beta=0.5),
    "log-cosh": log_cosh_loss,
    "asymmetric MSE (over 2, under 1)": asymmetric_mse_loss,
}


def regression_curves(
    losses: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = REGRESSION_LOSSES, *, extent: float = 3.0
) -> Figure:
    """Draw losses of regression and their gradients against the error of one prediction.

    Args:
        losses: names, and losses of (prediction, target). They are given one error at a time, so that it does not
            matter how they reduce several.
        extent: the largest error, to either side.
    """
    figure, (values, gradients) = new_panels(2)
    errors = torch.arange(-200, 201, dtype=torch.float64) * (extent / 200)  # with an exact 0, where L1 has its kink
    for name, loss in losses.items():
        prediction = errors.clone().requires_grad_()
        costs = torch.stack([loss(point, torch.zeros_like(point)).sum() for point in prediction.split(1)])
        (slopes,) = torch.autograd.grad(costs.sum(), prediction)
        values.plot(errors, costs.detach(), label=name)
        gradients.plot(errors, slopes, label=name)
    for axes, title in ((values, "losses"), (gradients, "their gradients")):
        axes.set_title(title)
        axes.set_xlabel("error (prediction $-$ target)")
        axes.set_xlim(-extent, extent)
        leave_out_the_steepest(axes)
    values.set_ylabel("loss of one prediction")
    gradients.set_ylabel("derivative with respect to the prediction")
    figure.legend(handles=values.lines, loc="outside lower center", ncols=3)
    return figure


def bce_curves() -> Figure:
    """Draw the binary cross-entropy of a yes and of a no against the probability of yes, from 0.01 to 0.99."""
    figure, (axes,) = new_panels(1)
    probability = _probabilities()
    for target, name in ((1.0, r"target 1: $-\log p$"), (0.0, r"target 0: $-\log(1 - p)$")):
        loss = bce_from_probs(probability, torch.full_like(probability, target), reduction="none")
        axes.plot(probability, loss, label=name)
    axes.plot(0.5, math.log(2), "o", color="black", label=r"p = 0.5 costs $\log 2 \approx 0.69$")
    axes.set_title("binary cross-entropy")
    axes.set_xlabel("predicted probability p of target 1")
    axes.set_ylabel("loss (nats)")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper center")
    return figure


def focal_curves(gammas: Sequence[float] = (0, 0.5, 1, 2, 5)) -> Figure:
    """Draw the focal loss against the probability of the true class, from 0.01 to 0.99.

    Args:
        gammas: how strongly easy elements are discounted; a curve for each.
    """
    figure, (axes,) = new_panels(1)
    probability = _probabilities()
    logits = torch.stack([torch.logit(probability), torch.zeros_like(probability)], dim=1)
    target = torch.zeros(len(probability), dtype=torch.int64)
    for gamma in gammas:
        name = rf"$\gamma$ = {gamma:g}" + (" (cross-entropy)" if gamma == 0 else "")
        axes.plot(probability, focal_loss(logits, target, gamma=gamma, reduction="none"), label=name)
    axes.axvspan(0.6, 1, color="0.93", zorder=0, label="well classified (above 0.6)")
    axes.set_title("focal loss")
    axes.set_xlabel("predicted probability of the true class")
    axes.set_ylabel("loss (nats)")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right")
    return figure


def _probabilities() -> Tensor:
    return torch.linspace(0.01, 0.99, 197, dtype=torch.float64)  # steps of 0.005
