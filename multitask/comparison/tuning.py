"""The learning rate of each variant of a comparison: the best of a small grid, on the validation scenes."""

import math
from collections.abc import Mapping

from multitask.comparison.table import ALONE, delta_m
from multitask.tasks.task import Better

ByRate = Mapping[float, Mapping[str, float]]


def best_rates(tried: Mapping[str, ByRate], better: Mapping[str, Mapping[str, Better]]) -> dict[str, float]:
    """Choose for each variant the learning rate with the largest Delta m.

    For a network of one task Delta m is the mean change of its metrics against those of a first rate; for all tasks
    together it is that against the networks of one task each, at their best rates. A rate whose metrics are not
    finite, as after a training that has diverged, is chosen only if there is no other.

    Args:
        tried: for each variant by its name, and each learning rate, the metrics by TASK/METRIC; those named TASK-alone
            before the others.
        better: for each task its metrics, and whether a higher or lower value is better.
    """
    rates: dict[str, float] = {}
    alone: dict[str, float] = {}
    for name, by_rate in tried.items():
        task = name.removesuffix(ALONE)
        of_one = name.endswith(ALONE)
        counted = {task: better[task]} if of_one else better
        sound = {rate: metrics for rate, metrics in by_rate.items() if _finite(metrics)} or by_rate
        baseline = next(iter(sound.values())) if of_one else alone
        gains = {rate: delta_m(metrics, baseline, counted) for rate, metrics in sound.items()}
        rates[name] = max(gains, key=gains.__getitem__)
        if of_one:
            alone |= {key: value for key, value in by_rate[rates[name]].items() if key.startswith(f"{task}/")}
    return rates


def _finite(metrics: Mapping[str, float]) -> bool:
    return all(map(math.isfinite, metrics.values()))
