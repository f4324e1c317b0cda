"""How the weights of uncertainty weighting move: three tasks on one encoder, and four ways to start.

    python -m examples.uncertainty_weights

It trains segmentation (cross-entropy), depth (L1) and boxes (focal loss and GIoU) as ``configs/multitask/rooms.yaml``
does, without normals, with the same network and data each time. Into ``runs/uncertainty`` it writes ``weights.png``,
the weights over the steps beside those that the losses ask for, and ``weights.md``: where they end, when they settle,
and what the test rooms say. Stopped, it goes on with the same command.
"""

import math
import statistics
from collections.abc import Mapping
from pathlib import Path

import yaml

from losses.figures.style import logarithmic_if_wide, new_panels
from training import Metrics
from training.comparison.run import Config, Run
from training.comparison.schedule import train_all

ROOMS = Path(__file__).parents[1] / "configs" / "multitask" / "rooms.yaml"
TASKS = {"seg": "categorical", "depth": "laplace", "boxes": "categorical"}  # with the likelihoods of their losses
OPTIMUM = {"categorical": 0.5, "laplace": 1.0}  # weight times loss, where a log variance rests
Start = Mapping[str, float]
STARTS: Mapping[str, Start] = {  # log variances
    "all 0": dict.fromkeys(TASKS, 0.0),
    "all -2": dict.fromkeys(TASKS, -2.0),
    "all 2": dict.fromkeys(TASKS, 2.0),
    "depth -2, others 2": {"seg": 2.0, "depth": -2.0, "boxes": 2.0},
}
WINDOW = 11  # logged rows that a loss is averaged over: single batches are noisy
CLOSE = 1.25  # a weight has settled when it is within this factor of what its loss asks for
Points = list[tuple[int, float]]


def main(
    out: Path = Path("runs/uncertainty"), epochs: int = 12, batches: float = 1.0, starts: Mapping[str, Start] = STARTS
) -> str:
    """Train from each start, write the figure and the table, and return the table.

    Args:
        out: the folder of the runs, the figure and the table.
        epochs: of each training.
        batches: share of each epoch's batches.
        starts: the log variances of each training, by what it is called.
    """
    configurations = [configuration(start, epochs, batches) for start in starts.values()]
    runs = [Run("multitask", out, f"start-{number}", 0, config) for number, config in enumerate(configurations)]
    train_all(runs, jobs=2, count=len(runs))
    found = {start: Metrics(run.metrics_file()) for start, run in zip(starts, runs, strict=True)}
    tests = {start: run.test_metrics() for start, run in zip(starts, runs, strict=True)}
    draw(out / "weights.png", found)
    table = tabulate(found, tests)
    (out / "weights.md").write_text(table, encoding="utf-8")
    print(f"\n{table}\n{out / 'weights.png'}\n{out / 'weights.md'}")
    return table


def configuration(start: Start, epochs: int, batches: float) -> Config:
    """Return the configuration of a training of the three tasks, from these log variances."""
    config: Config = yaml.safe_load(ROOMS.read_text(encoding="utf-8"))
    config["wandb"] = "off"
    limits = {f"limit_{stage}_batches": batches for stage in ("train", "val", "test")}
    config["trainer"] |= {"max_epochs": epochs, "log_every_n_steps": 2, **limits}
    config["model"]["tasks"] = {name: config["model"]["tasks"][name] for name in TASKS}
    config["model"]["tasks"]["boxes"]["init_args"]["parts"] = "together"
    config["model"]["weighting"]["init_args"] = {"initial": dict(start)}
    return config


def asked_for(metrics: Metrics, task: str) -> Points:
    """Return the weight at which a task's log variance would rest, for the mean of its loss around each step."""
    optimum, series = OPTIMUM[TASKS[task]], metrics.series(f"train/{task}")
    half = WINDOW // 2
    around = [[loss for _, loss in series[max(at - half, 0) : at + half + 1]] for at in range(len(series))]
    return [(step, optimum / statistics.fmean(losses)) for (step, _), losses in zip(series, around, strict=True)]


def settled(metrics: Metrics, task: str) -> int | None:
    """Return the first step from which on a weight stays close to what its loss asks for; None if it never does."""
    first = None
    for (step, weight), (_, rest) in zip(metrics.series(f"weight/{task}"), asked_for(metrics, task), strict=True):
        if abs(math.log(weight / rest)) > math.log(CLOSE):
            first = None
        elif first is None:
            first = step
    return first


def draw(file: Path, found: Mapping[str, Metrics]) -> None:
    """Draw a panel for each start: weights as lines, and what their losses ask for dotted in the same color."""
    figure, panels = new_panels(2, rows=math.ceil(len(found) / 2))
    for axes, (start, metrics) in zip(panels, found.items(), strict=False):
        for task in TASKS:
            (line,) = axes.plot(*zip(*metrics.series(f"weight/{task}"), strict=True), "-", label=task)
            axes.plot(*zip(*asked_for(metrics, task), strict=True), ":", color=line.get_color(), linewidth=1)
        axes.set(title=f"log variances from {start}", xlabel="step", ylabel="weight")
        logarithmic_if_wide(axes)
    panels[0].legend()
    figure.savefig(file, dpi=110)


def tabulate(found: Mapping[str, Metrics], tests: Mapping[str, Mapping[str, float]]) -> str:
    """Write a row for each start, as Markdown."""
    first = {"seg": "seg/miou", "depth": "depth/abs", "boxes": "boxes/map"}
    heads = [f"{task}: weight at the end" for task in TASKS] + [f"{task}: settled at step" for task in TASKS]
    rows = [["log variances from", *heads, *first.values()], ["---"] + ["---:"] * (3 * len(TASKS))]
    for start, metrics in found.items():
        ends = [f"{metrics.series(f'weight/{task}')[-1][1]:.2f}" for task in TASKS]
        steps = [settled(metrics, task) for task in TASKS]
        scores = [f"{tests[start][name]:.3f}" for name in first.values()]
        rows.append([start, *ends, *("not" if step is None else str(step) for step in steps), *scores])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    main()
