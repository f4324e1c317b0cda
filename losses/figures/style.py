"""The look that the figures share."""

import statistics

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, NullLocator
from torch import Tensor

# Okabe and Ito's colours, which colour-blind people tell apart; the dashes are for grey paper and for equal curves.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", (0, (1, 1)), (0, (6, 1.5)), (0, (3, 1, 1, 1, 1, 1)), ":")


def new_figure(width: float, height: float) -> Figure:
    """Make a figure of this size, in inches, whose labels stay clear of its edges."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def new_panels(count: int, *, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels side by side, in which every line has a colour and dashes of its own.

    Args:
        count: panels in a row.
        rows: of panels, listed one after the other.
    """
    figure = new_figure(10, 4.8 * rows) if count > 1 else new_figure(7.5, 4.5 * rows)
    panels = list(figure.subplots(rows, count, squeeze=False).flat)
    for axes in panels:
        axes.set_prop_cycle(color=COLORS, linestyle=DASHES)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def leave_out_the_steepest(axes: Axes) -> None:
    """End the axis where half of the curves have plenty of room, so that steep ones do not flatten the others."""
    curves = [values[values.isfinite()] for values in _values(axes)]
    largest = [curve.abs().max().item() for curve in curves if curve.any()]
    if largest:
        limit = 1.05 * min(max(largest), 2 * statistics.median(largest))
        axes.set_ylim(-limit if any((curve < 0).any() for curve in curves) else 0, limit)


def logarithmic_if_wide(axes: Axes) -> None:
    """Make the axis logarithmic if all values are above 0 and the largest is more than 10 times the smallest."""
    values = torch.cat(_values(axes))
    values = values[values.isfinite()]
    if (values > 0).all() and values.numel() and values.max() > 10 * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")  # 0.02 is read sooner than 2 x 10^-2
        axes.yaxis.set_minor_locator(NullLocator())


def _values(axes: Axes) -> list[Tensor]:
    return [torch.as_tensor(line.get_ydata(), dtype=torch.float64) for line in axes.lines]
