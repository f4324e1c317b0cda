"""Figures of losses: their curves, the landscape around a network's weights, and runs under several losses.

Each function gives a figure that ``figure.savefig("loss.png")`` writes. None of them opens a window, and pyplot, which
would keep every figure, is not used. ``python -m losses figures`` draws them all.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor, nn

from losses.binary import bce_from_probs
from losses.classification import focal_loss
from losses.figure_style import COLORS, leave_out_the_steepest, logarithmic_if_wide, new_figure, new_panels
from losses.landscape import loss_surface
from losses.regression import asymmetric_mse_loss, huber_loss, l1_loss, log_cosh_loss, mse_loss, smooth_l1_loss
from losses.static_weights import read_metrics

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


def loss_landscape(
    model: nn.Module,
    loss: Callable[[nn.Module], Tensor],
    *,
    extent: float = 1.0,
    steps: int = 25,
    seed: int = 0,
) -> Figure:
    """Draw the contours of a network's loss around its weights, along two random directions (Li et al. 2018).

    The model ends as it began; where the loss is not finite the picture is grey. How steep and how curved it looks can
    be compared between networks, for each filter moves relative to its own length; what lies in the other directions
    remains unseen.

    Args:
        model: the network, as for :func:`losses.landscape.loss_surface`, as are the other arguments and the errors.
        loss: gives the loss of the network, one number.
        extent: how far the picture goes to either side.
        steps: points along each side, odd.
        seed: draws the directions.

    Raises:
        ValueError: the loss is finite nowhere, or what :func:`losses.landscape.loss_surface` refuses.
    """
    offsets, values = loss_surface(model, loss, extent=extent, steps=steps, seed=seed)
    finite = values[values.isfinite()]
    if not len(finite):
        raise ValueError("the loss of the model is finite nowhere around its weights, nor at them")
    lowest, highest = finite.min().item(), finite.max().item()
    ratios = lowest > 0 and highest > 10 * lowest  # equal steps would crowd all contours far away from the middle

    figure = new_figure(6.8, 5.4)
    axes = figure.subplots()
    axes.set_facecolor("0.6")
    if highest - lowest > 1e-12 * max(abs(lowest), abs(highest)):  # or there is no room for levels in between
        ends = (math.log(lowest), math.log(highest)) if ratios else (lowest, highest)
        levels = torch.linspace(*ends, 21, dtype=torch.float64)
        levels = levels.exp() if ratios else levels
        levels[0], levels[-1] = lowest, highest  # exactly, so that the ends are painted
        filled = axes.contourf(offsets, offsets, values, levels, cmap="viridis", norm=LogNorm() if ratios else None)
        axes.contour(offsets, offsets, values, levels[1:-1:2], colors="white", linewidths=0.6, alpha=0.7)
        figure.colorbar(filled, label="loss", ticks=levels[::4].tolist(), format="%.2g", shrink=0.9)
    else:
        axes.contourf(offsets, offsets, 0 * values, [-1, 1], colors=["#21918c"])
    centre = values[steps // 2, steps // 2].item()
    axes.plot(0, 0, "*", color=COLORS[1], markeredgecolor="white", markersize=16, label=f"the model: {centre:.3g}")
    axes.set_title("loss along two random directions")
    axes.set_xlabel("first direction (lengths of the filters)")
    axes.set_ylabel("second direction (lengths of the filters)")
    axes.set_aspect("equal")
    axes.locator_params(nbins=5)
    entries = axes.get_legend_handles_labels()[0]
    if len(finite) < values.numel():
        entries.append(Patch(color="0.6", label="not finite"))
    axes.legend(handles=entries, loc="upper right", framealpha=0.9)
    return figure


def convergence(histories: Mapping[str, Sequence[float]], *, metric: str, every: int = 1) -> Figure:
    """Draw how one measure fell, or rose, in trainings under several losses.

    Their losses themselves could not be compared. The axis is logarithmic if all values are above 0 and far apart.

    Args:
        histories: for each loss the measure, at step 0, ``every``, 2 ``every`` and so on.
        metric: the name of the measure, with its unit.
        every: how many steps lie between two measurements.

    Raises:
        ValueError: nothing was measured.
    """
    if not any(len(history) for history in histories.values()):
        raise ValueError("histories must hold at least one measurement; got none")
    figure, (axes,) = new_panels(1)
    for name, history in histories.items():
        axes.plot(range(0, every * len(history), every), history, label=name)
    axes.set_title("the same training under several losses")
    axes.set_xlabel("step")
    axes.set_ylabel(metric)
    logarithmic_if_wide(axes)
    figure.legend(loc="outside right upper")
    return figure


def task_weights(metrics: str | Path, *, prefix: str = "weight/") -> Figure:
    """Draw the weights of a run's tasks over its steps, from the CSV file of Lightning's ``CSVLogger`` or one like it.

    Args:
        metrics: the file, with a column ``step`` and one for each task's weight; empty cells are left out.
        prefix: how the names of the weights' columns begin.

    Raises:
        ValueError: names the file and what is wrong in it.
    """
    expected = f"expected a CSV file with a column step and columns {prefix}TASK"
    rows, names = read_metrics(metrics, prefix, expected, also=("step",))
    figure, (axes,) = new_panels(1)
    for name in names:
        try:
            points = [(float(row["step"]), float(row[name])) for row in rows if row[name]]
        except (TypeError, ValueError) as error:
            raise ValueError(f"{metrics}: {name} or its step is not a number: {error}") from None
        if points:
            axes.plot(*zip(*points, strict=True), label=name.removeprefix(prefix))
    if not axes.lines:
        raise ValueError(f"{metrics}: no values in the columns {', '.join(names)}; {expected}")
    axes.set_title("weights of the tasks")
    axes.set_xlabel("step")
    axes.set_ylabel("weight in the total loss")
    logarithmic_if_wide(axes)
    figure.legend(loc="outside right upper")
    return figure


def _probabilities() -> Tensor:
    return torch.linspace(0.01, 0.99, 197, dtype=torch.float64)  # steps of 0.005
