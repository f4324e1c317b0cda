"""The figure of a comparison: losses and weights over time."""

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from losses.figures.style import logarithmic_if_wide
from training.metrics_file import Metrics, Series

COLORS = {"equal": "tab:gray", "uncertainty": "tab:blue", "gradnorm": "tab:orange", "alone": "black"}
OTHER_COLORS = ("tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink", "tab:olive", "tab:cyan")


def draw_comparison(tasks: Sequence[str], weighted: Sequence[str], runs: Mapping[tuple[str, int], Metrics]) -> Figure:
    """Draw each task's loss in validation, and the weights of what learns them, over the steps.

    Args:
        tasks: the names of the tasks.
        weighted: what has a weight: tasks, or their parts.
        runs: what each run has logged, by what was trained and its seed; seeds are averaged.
    """
    together = [name for name in dict.fromkeys(name for name, _ in runs) if not name.endswith("-alone")]
    labels = [name for name in together if not name.startswith("more-")]
    learners = [name for name in labels if name != "equal"]
    others = [label for label in labels if label not in COLORS]
    colors = COLORS | dict(zip(others, itertools.cycle(OTHER_COLORS), strict=False))
    figure = Figure(figsize=(4 * max(len(tasks), len(learners), 2), 7), layout="constrained")
    rows = figure.add_gridspec(2, 1)
    above, below = figure.add_subfigure(rows[0]), figure.add_subfigure(rows[1])
    for axes, task in zip(_panels(above, len(tasks)), tasks, strict=True):
        for label in [*labels, "alone"]:
            name = f"{task}-alone" if label == "alone" else label
            own = [metrics.series(f"val/{task}") for (each, _), metrics in runs.items() if each == name]
            _plot(axes, mean_of(own), label, colors[label])
        _finish(axes, f"{task}: loss in validation")
    for axes, learner in zip(_panels(below, len(learners)), learners, strict=True):
        for place, each in enumerate(weighted):
            own = [metrics.series(f"weight/{each}") for (name, _), metrics in runs.items() if name == learner]
            _plot(axes, mean_of(own), each, f"C{place}")
        _finish(axes, f"{learner}: weights")
    for row in above, below:
        _legend(row)
    return figure


def mean_of(runs: Iterable[Series]) -> Series:
    """Average series of (step, value) at each step that all have."""
    by_step: dict[int, list[float]] = {}
    runs = list(runs)
    for run in runs:
        for step, value in run:
            by_step.setdefault(step, []).append(value)
    return [(step, statistics.fmean(values)) for step, values in by_step.items() if len(values) == len(runs)]


def _plot(axes: Axes, series: Series, label: str, color: str) -> None:
    if series:
        axes.plot(*zip(*series, strict=True), label=label, linewidth=1.2, color=color)


def _finish(axes: Axes, title: str) -> None:
    axes.set(title=title, xlabel="steps")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.lines:  # a short run may have logged nothing
        logarithmic_if_wide(axes)


def _legend(row: SubFigure) -> None:
    """One legend for the panels of a row, beside them, where it hides no line."""
    lines = {line.get_label(): line for axes in row.axes for line in axes.lines}
    if lines:
        row.legend(handles=list(lines.values()), loc="outside right upper")


def _panels(figure: SubFigure, count: int) -> list[Axes]:
    return [figure.add_subplot(1, count, place) for place in range(1, count + 1)]
