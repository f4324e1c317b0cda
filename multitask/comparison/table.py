"""The results of a comparison: a short table to read, and one with all numbers."""

import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from multitask.tasks.task import Better
from training.comparison.table import ARROWS, confidence_interval, markdown_table, mean_and_deviation

ALONE = "-alone"


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


def write_tables(
    out: Path,
    results: Sequence[Result],
    better: Mapping[str, Mapping[str, Better]],
    rates: Mapping[str, float] | None = None,
    steps: Mapping[str, int] | None = None,
) -> str:
    """Write ``compare.csv``, all numbers, and ``compare.md``; return the latter.

    It has a table of the first metric of each task, with Delta m and its confidence interval, and one of all metrics.

    Args:
        out: the folder.
        results: of all runs; those named TASK-alone are joined into one network for each task, the baseline.
        better: for each task its metrics, and whether a higher or lower value is better.
        rates: the learning rates that were chosen, by the names of the variants.
        steps: of all variants, by their names, where all had the same time and not the same epochs.
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

    by_name = {name: [row for row in rows if row.name == name] for name in dict.fromkeys(row.name for row in rows)}
    arrows = {f"{task}/{metric}": ARROWS[which] for task, own in better.items() for metric, which in own.items()}
    firsts = [f"{task}/{next(iter(metrics))}" for task, metrics in better.items()]
    of_deltas = {name: [deltas[name, row.seed] for row in own] for name, own in by_name.items()}
    several = len(seeds) > 1
    ends = {name: [mean_and_deviation(of_deltas[name], 1)] for name in by_name}
    if several:
        for name, cells in ends.items():
            low, high = confidence_interval(of_deltas[name])
            cells.append(f"{low:z.1f} to {high:z.1f}")
    headings = ["Δm (%) ↑", "95 % interval"][: 1 + several]
    note = "One seed."
    if several:
        note = (
            f"Mean and standard deviation of {len(seeds)} seeds. The interval is Student's t for the mean of Δm over "
            "the seeds, against the mean of the networks for one task each as if that were exact."
        )
    short = _table(by_name, {name: arrows[name] for name in firsts}, headings, ends)
    whole = _table(by_name, arrows, [], {})
    if steps:
        note += f" All trained for the same time, in steps: {_listed(steps)}."
    else:
        note += " All trained for the same epochs."
    if rates:
        note += f" Learning rates, the best on the validation scenes: {_listed(rates)}."
    text = f"{short}\n\n{note}\n\nAll metrics:\n\n{whole}\n"
    (out / "compare.md").write_text(text)
    return text


def _table(
    by_name: Mapping[str, Sequence[Result]],
    arrows: Mapping[str, str],
    headings: Sequence[str],
    ends: Mapping[str, Sequence[str]],
) -> str:
    """A table of the mean of each metric, with further columns at the end."""
    rows = []
    for name, own in by_name.items():
        cells = [mean_and_deviation([row.metrics[metric] for row in own], 3) for metric in arrows]
        rows.append([_title(name), *cells, *ends.get(name, ())])
    return markdown_table(["weighting", *(f"{name} {arrow}" for name, arrow in arrows.items()), *headings], rows)


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


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{_title(name)} {value}" for name, value in values.items())
