"""What happened in runs: one measure under several losses, and the weights of tasks."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from losses.figures.style import logarithmic_if_wide, new_panels


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


def task_weights(weights: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """Draw the weights of a run's tasks over its steps.

    Args:
        weights: for each task the steps at which its weight was written down, each with the weight.

    Raises:
        ValueError: no weight at all.
    """
    figure, (axes,) = new_panels(1)
    for task, points in weights.items():
        if points:
            axes.plot(*zip(*points, strict=True), label=task)
    if not axes.lines:
        raise ValueError(f"weights must hold at least one; got none for {', '.join(weights) or 'no task'}")
    axes.set_title("weights of the tasks")
    axes.set_xlabel("step")
    axes.set_ylabel("weight in the total loss")
    logarithmic_if_wide(axes)
    figure.legend(loc="outside right upper")
    return figure
