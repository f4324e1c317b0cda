"""Weights that one run found, for the next run to keep."""

import math
import statistics
from collections.abc import Mapping, Sequence


def time_average(weights: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Average each task's weight over a run, as Chen et al. 2018 do for what they call static weights.

    Args:
        weights: of each task, one number for each time that they were written down.

    Returns:
        The mean weight of each task, as :class:`losses.FixedWeighting` takes it.

    Raises:
        ValueError: a task without weights, or one whose mean is not finite.

    Example:
        >>> time_average({"seg": [1.0, 1.5, 2.0], "depth": [1.0, 0.5]})
        {'seg': 1.5, 'depth': 0.75}
    """
    averages = {}
    for task, values in weights.items():
        average = statistics.fmean(values) if values else math.nan
        if not math.isfinite(average):
            raise ValueError(f"weights must hold finite numbers for each task, at least one; got {values} for {task}")
        averages[task] = average
    return averages
