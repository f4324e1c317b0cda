"""The landscape of a network's loss around its weights, as a picture."""

import math
from collections.abc import Callable

import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor, nn

from losses.figures.style import COLORS, new_figure
from losses.figures.surface import loss_surface


def loss_landscape(
    model: nn.Module, loss: Callable[[nn.Module], Tensor], *, extent: float = 1.0, steps: int = 25, seed: int = 0
) -> Figure:
    """Draw the contours of a network's loss around its weights, along two random directions (Li et al. 2018).

    The model ends as it began; where the loss is not finite the picture is grey. How steep and how curved it looks can
    be compared between networks, for each filter moves relative to its own length; what lies in the other directions
    remains unseen.

    Args:
        model: the network, as for :func:`loss_surface`, as are the other arguments and the errors.
        loss: gives the loss of the network, one number.
        extent: how far the picture goes to either side.
        steps: points along each side, odd.
        seed: draws the directions.

    Raises:
        ValueError: the loss is finite nowhere, or what :func:`loss_surface` refuses.
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
