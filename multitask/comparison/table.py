"""The results of a comparison: a short table to read, and one with all numbers."""

import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from multitask.tasks.task import Better

ALONE = "-alone"
ARROWS = {"higher": "↑", "lower": "↓"}


class Result(NamedTuple):
    """The name of a variant, its seed, and its test metrics by TASK/METRIC."""

    name: str
    seed: int
    metrics: Mapping[str, float]


def delta_m(
    metrics: Mapping[str, float], baseline: Mapping[str, float], better: Mapping[str, Mapping[str, Better]]
) -> float:
    r"""How much better several tasks are together than each is alone, in percent (Vandenhende et al. 2021).

    .. math:: \Delta_m = \frac{100}{T} \sum_{i=1}^T \frac{1}{K_i} \sum_{k=1}^{K_i} \pm \frac{M_{ik} - B_{ik}}{B_{ik}}

    over the K_i metrics of each of T tasks, with plus where a higher value is better. Metrics whose baseline is 0 are
    left out.

    Args:
        metrics: M, by TASK/METRIC.
        baseline: B, those of networks for one task each.
        better: for each task its metrics, and whether a higher or lower value is better.
    """
    gains = []
    for task, directions in better.items():
        signs = {f"{task}/{name}": 1 if direction == "higher" else -1 for name, direction in directions.items()}
        of_task = [sign * (metrics[k] - baseline[k]) / baseline[k] for k, sign in signs.items() if baseline[k]]
        if of_task:
            gains.append(statistics.fmean(of_task))
    return 100 * statistics.fmean(gains) if gains else math.nan


def write_tables(out: Path, results: Sequence[Result], better: Mapping[str, Mapping[str, Better]]) -> str:
    """Write ``compare.csv``, all numbers, and ``compare.md``, the first metric of each task; return the latter.

    Args:
        out: the folder.
        results: of all runs; those named TASK-alone are joined into one network for each task, the baseline.
        better: for each task its metrics, and whether a higher or lower value is better.
    """
    rows = _join_alone(results, better)
    seeds = list(dict.fromkeys(row.seed for row in rows))
    baselines = [row.metrics for row in rows if row.name == ALONE]
    baseline = {key: statistics.fmean(each[key] for each in baselines) for key in baselines[0]}
    names = [f"{task}/{metric}" for task, metrics in better.items() for metric in metrics]
    deltas = {(row.name, row.seed): delta_m(row.metrics, baseline, better) for row in rows}
    with (out / "compare.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["weighting", "seed", *names, "delta_m"])
        for row in rows:
            values = [row.metrics[name] for name in names] + [deltas[row.name, row.seed]]
            writer.writerow([_title(row.name), row.seed, *(f"{value:.6g}" for value in values)])

    heads = [(f"{task}/{next(iter(metrics))}", next(iter(metrics.values()))) for task, metrics in better.items()]
    table = ["| weighting | " + " | ".join(f"{name} {ARROWS[which]}" for name, which in heads) + " | Δm (%) ↑ |"]
    table.append("|---|" + "---:|" * (len(heads) + 1))
    for name in dict.fromkeys(row.name for row in rows):
        own = [row for row in rows if row.name == name]
        cells = [_mean_and_deviation([row.metrics[key] for row in own], 3) for key, _ in heads]
        delta = _mean_and_deviation([deltas[name, row.seed] for row in own], 1)
        table.append(f"| {_title(name)} | {' | '.join(cells)} | {delta} |")
    note = f"Mean and standard deviation of {len(seeds)} seeds." if len(seeds) > 1 else "One seed."
    text = "\n".join(table) + f"\n\n{note}\n"
    (out / "compare.md").write_text(text)
    return text


def _join_alone(results: Sequence[Result], better: Mapping[str, Mapping[str, Better]]) -> list[Result]:
    """The results, with those of networks for one task each as one, which comes first."""
    alone: dict[int, dict[str, float]] = {}
    for result in results:
        if result.name.endswith(ALONE):
            task = result.name.removesuffix(ALONE)
            own = {key: value for key, value in result.metrics.items() if key.startswith(f"{task}/")}
            alone.setdefault(result.seed, {}).update(own)
    joined = [Result(ALONE, seed, metrics) for seed, metrics in alone.items()]
    return joined + [result for result in results if not result.name.endswith(ALONE)]


def _title(name: str) -> str:
    return "each task alone" if name == ALONE else name.replace("-", " ")


def _mean_and_deviation(values: Sequence[float], digits: int) -> str:
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean
