"""The same run under several weightings and seeds, in one table and one figure."""

import copy
import os
import pkgutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from losses import time_average
from multitask.comparison.figure import draw_comparison
from multitask.comparison.table import Result, write_tables
from multitask.tasks.parts import likelihoods_of
from multitask.tasks.task import Better, build_task
from training import Metrics
from training.failures import HINT

RAISED = 3.0  # in the grid of fixed weights each task in turn weighs three times as much as the others

Config = dict[str, Any]


def compare(config: Config, out: Path, seeds: int, jobs: int) -> None:
    """Train the variants of a configuration that are not trained yet, and write the tables and the figure.

    Args:
        config: the whole configuration of a fit.
        out: folder of all its runs, and of compare.md, compare.csv and compare.png.
        seeds: every variant is trained with the seeds 0 to ``seeds`` - 1; at least 1.
        jobs: runs at the same time, which share the processor cores; at least 1.

    Raises:
        ValueError: an option outside its range, a run fails, or ``out`` holds a comparison of another configuration.
    """
    for name, value in ("seeds", seeds), ("jobs", jobs):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}")
    _claim(out, config)
    tasks = list(config["model"]["tasks"])
    runs = [Run(out, name, seed, each) for seed in range(seeds) for name, each in variants(config)]
    count = len(runs) + seeds
    _train(runs, jobs, range(1, count + 1))
    static = [with_static_weights(run) for run in runs if run.name == "gradnorm"]
    _train(static, jobs, range(len(runs) + 1, count + 1))
    results = [Result(run.name, run.seed, run.test_metrics()) for run in [*runs, *static]]
    print(write_tables(out, results, better_of(config)))
    weighted = [each for names in weighted_in(config).values() for each in names]
    draw_comparison(
        out / "compare.png", tasks, weighted, {(run.name, run.seed): Metrics(run.metrics_file()) for run in runs}
    )
    print(f"table: {out}/compare.md   all numbers: {out}/compare.csv   figure: {out}/compare.png")


def variants(config: Config) -> Iterator[tuple[str, Config]]:
    """Yield the names and configurations of all that is trained for a seed, except GradNorm's static weights.

    Args:
        config: of a fit. The options of its weighting are kept where that is uncertainty weighting or GradNorm.
    """
    tasks = config["model"]["tasks"]
    for task in tasks:
        yield f"{task}-alone", _with(config, "FixedWeighting", tasks={task: tasks[task]})
    yield "equal", _with(config, "FixedWeighting")
    for task in tasks:
        weights = {each: RAISED if own == task else 1.0 for own, names in weighted_in(config).items() for each in names}
        scale = len(weights) / sum(weights.values())  # the sum of all weights is the same for all
        yield f"more-{task}", _with(config, "FixedWeighting", weights={t: w * scale for t, w in weights.items()})
    yield "uncertainty", _with(config, "UncertaintyWeighting")
    yield "gradnorm", _with(config, "GradNorm")


def weighted_in(config: Config) -> dict[str, list[str]]:
    """Return for each task the names that a weighting knows it by: its own, or those of its parts."""
    tasks = config["model"]["tasks"].items()
    return {name: list(likelihoods_of({name: build_task(recipe)})) for name, recipe in tasks}


def _with(config: Config, weighting: str, *, tasks: Config | None = None, **options: Any) -> Config:
    changed = copy.deepcopy(config)
    given = changed["model"]["weighting"]
    if not options and given["class_path"].rpartition(".")[2] == weighting and weighting != "FixedWeighting":
        options = given.get("init_args", {})
    changed["model"]["weighting"] = {"class_path": f"losses.{weighting}", "init_args": options}
    changed["model"]["tasks"] = tasks or changed["model"]["tasks"]
    return changed


@dataclass(frozen=True)
class Run:
    """One run: a ``multitask fit`` in a process of its own.

    Attributes:
        out: the folder of the comparison.
        name: of what is trained.
        seed: with which.
        config: of the fit.
    """

    out: Path
    name: str
    seed: int
    config: Config

    @property
    def folder(self) -> Path:
        """The folder of its attempts."""
        return self.out / f"{self.name}-seed{self.seed}"

    def metrics_file(self) -> Path:
        """Return the CSV file of the last attempt."""
        return max(self.folder.glob("*/metrics.csv"), key=lambda file: file.parent.name)

    def test_metrics(self) -> dict[str, float]:
        """Return the metrics of the test at the end of the run; nothing if it is not over."""
        measured: dict[str, float] = {}
        for file in sorted(self.folder.glob("*/metrics.csv")):
            measured |= Metrics(file).last("test/")
        return measured

    def train(self, threads: int) -> None:
        """Train and test, from where an earlier attempt stopped.

        Args:
            threads: of the processor.

        Raises:
            ValueError: it fails; with the line that says why.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "config.yaml"
        trainer = {**self.config["trainer"], "enable_progress_bar": False}
        own = {"seed_everything": self.seed, "runs": str(self.out), "name": self.folder.name, "trainer": trainer}
        file.write_text(yaml.safe_dump(self.config | own, sort_keys=False))
        words = ["--config", str(file)]
        if checkpoints := sorted(self.folder.glob("*/checkpoints/last.ckpt")):
            words += ["--ckpt_path", str(checkpoints[-1])]
        try:
            _multitask("fit", words, {"OMP_NUM_THREADS": str(threads)})
        except ValueError as error:
            raise ValueError(f"{self.folder.name}: {error}") from None


def with_static_weights(run: Run) -> Run:
    """Return the run that keeps the average weights of a run of GradNorm from its start (Chen et al. 2018)."""
    weights = time_average(Metrics(run.metrics_file()).columns("weight/"))
    return replace(run, name="gradnorm-static", config=_with(run.config, "FixedWeighting", weights=weights))


def better_of(config: Config) -> dict[str, dict[str, Better]]:
    """Return for each task of a configuration its metrics, and whether a higher or lower value is better."""
    classes = {name: pkgutil.resolve_name(task["class_path"]) for name, task in config["model"]["tasks"].items()}
    return {name: dict(cls.better) for name, cls in classes.items()}


def _claim(out: Path, config: Config) -> None:
    """Require that a folder holds the runs of one configuration only."""
    file = out / "config.yaml"
    if file.is_file() and yaml.safe_load(file.read_text()) != config:
        raise ValueError(f"{out} holds a comparison of another configuration; take another folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(config, sort_keys=False))


def _train(runs: list[Run], jobs: int, numbers: range) -> None:
    """Train what is not trained yet, several at a time."""
    threads = max(1, (os.cpu_count() or 1) // jobs)

    def train(number: int, run: Run) -> None:
        began = time.monotonic()
        if not run.test_metrics():
            run.train(threads)
            minutes = timedelta(seconds=round(time.monotonic() - began))
            print(f"[{number}/{numbers.stop - 1}] {run.folder.name}: {minutes}", flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        trained = [pool.submit(train, number, run) for number, run in zip(numbers, runs, strict=False)]
        try:
            for each in as_completed(trained):
                each.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _multitask(command: str, words: list[str], environment: dict[str, str]) -> str:
    """Return what a command of ours prints, in a process of its own; raise the line that a failure ends with."""
    call = [sys.executable, "-m", "multitask", command, *words]
    result = subprocess.run(call, capture_output=True, text=True, env=os.environ | environment)
    if result.returncode:
        said = (result.stderr.strip() or f"{command} was stopped").splitlines()[-1]
        raise ValueError(said.removeprefix("multitask: error: ").removesuffix(HINT))
    return result.stdout
