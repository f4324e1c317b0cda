"""``multitask compare``: the same training under several weightings and seeds, in one table and one figure."""

import argparse
import copy
import csv
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
from typing import Any, NoReturn

import yaml

from losses import time_average
from multitask.comparison.figure import draw_comparison
from multitask.comparison.table import Result, write_tables
from multitask.tasks.task import Better
from training.failures import HINT, wrong_usage

DESCRIPTION = """Train each task alone, and all of them with equal weights, with a small grid of fixed weights, with
uncertainty weighting, with GradNorm, and with GradNorm's weights averaged over time and kept fixed: with the same
seeds and the same budget. Writes compare.md, compare.csv and compare.png into OUT. A comparison that was stopped goes
on with the same command. All other options are those of `multitask fit`, and are given to every run."""
RAISED = 3.0  # in the grid of fixed weights each task in turn weighs three times as much as the others

Config = dict[str, Any]


def compare(words: list[str]) -> None:
    """Run the command.

    Args:
        words: its options.

    Raises:
        ValueError: a run fails, or OUT holds a comparison of another configuration.
    """
    parser = _Parser(prog="multitask compare", description=DESCRIPTION)
    parser.add_argument("--out", type=Path, default=Path("runs/compare"), help="folder of all its runs")
    parser.add_argument("--seeds", type=int, default=3, help="train everything with the seeds 0 to SEEDS - 1")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time, which share the processor cores")
    options, of_fit = parser.parse_known_args(words)
    if options.seeds < 1 or options.jobs < 1:
        parser.error(f"--seeds and --jobs must be at least 1; got {options.seeds} and {options.jobs}")
    config = _configuration_of(of_fit)
    _claim(options.out, config)

    tasks = list(config["model"]["tasks"])
    runs = [Run(options.out, name, seed, each) for seed in range(options.seeds) for name, each in variants(config)]
    count = len(runs) + options.seeds
    _train(runs, options.jobs, range(1, count + 1))
    static = [with_static_weights(run) for run in runs if run.name == "gradnorm"]
    _train(static, options.jobs, range(len(runs) + 1, count + 1))
    results = [Result(run.name, run.seed, run.measures()) for run in [*runs, *static]]
    print(write_tables(options.out, results, better_of(config)))
    draw_comparison(options.out / "compare.png", tasks, {(run.name, run.seed): run.metrics() for run in runs})
    print(
        f"table: {options.out}/compare.md   all numbers: {options.out}/compare.csv   figure: {options.out}/compare.png"
    )


def variants(config: Config) -> Iterator[tuple[str, Config]]:
    """Give the names and configurations of all that is trained for a seed, but for GradNorm's static weights.

    Args:
        config: of a fit. The options of its weighting are kept where that is uncertainty weighting or GradNorm.
    """
    tasks = config["model"]["tasks"]
    for task in tasks:
        yield f"{task}-alone", _with(config, "FixedWeighting", tasks={task: tasks[task]})
    yield "equal", _with(config, "FixedWeighting")
    for task in tasks:
        weights = {other: RAISED if other == task else 1.0 for other in tasks}
        scale = len(tasks) / sum(weights.values())  # the sum of all weights is the same for all
        yield f"more-{task}", _with(config, "FixedWeighting", weights={t: w * scale for t, w in weights.items()})
    yield "uncertainty", _with(config, "UncertaintyWeighting")
    yield "gradnorm", _with(config, "GradNorm")


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
    """One training: a ``multitask fit`` in a process of its own.

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
        """The folder of its tries."""
        return self.out / f"{self.name}-seed{self.seed}"

    def metrics(self) -> Path:
        """Give the CSV file of the last try."""
        return max(self.folder.glob("*/metrics.csv"), key=lambda file: file.parent.name)

    def measures(self) -> dict[str, float]:
        """Give what the test at the end of the training has measured; nothing if it is not over."""
        measured: dict[str, str] = {}
        for file in sorted(self.folder.glob("*/metrics.csv")):
            with file.open(newline="") as lines:
                for row in csv.DictReader(lines):
                    measured |= {key: value for key, value in row.items() if key.startswith("test/") and value}
        return {key.removeprefix("test/"): float(value) for key, value in measured.items()}

    def train(self, threads: int) -> None:
        """Train and test, from where an earlier try was stopped.

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
    """Give the run that keeps, from its start, the weights that a run of GradNorm had on average (Chen et al. 2018)."""
    with run.metrics().open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {
        task: [float(row[f"weight/{task}"]) for row in rows if row[f"weight/{task}"]]
        for task in run.config["model"]["tasks"]
    }
    return replace(
        run, name="gradnorm-static", config=_with(run.config, "FixedWeighting", weights=time_average(columns))
    )


def better_of(config: Config) -> dict[str, dict[str, Better]]:
    """Give for each task of a configuration its measures, and whether more or less of them is better."""
    classes = {name: pkgutil.resolve_name(task["class_path"]) for name, task in config["model"]["tasks"].items()}
    return {name: dict(cls.better) for name, cls in classes.items()}


def _configuration_of(words: list[str]) -> Config:
    """The whole configuration of a fit with these options."""
    printed: Config = yaml.safe_load(_multitask("fit", [*words, "--print_config"], {}))
    return printed


def _claim(out: Path, config: Config) -> None:
    """Refuse to mix the runs of two configurations in one folder."""
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
        if not run.measures():
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
    """What a command of ours prints, in a process of its own; a failure with the line that it ends with."""
    call = [sys.executable, "-m", "multitask", command, *words]
    result = subprocess.run(call, capture_output=True, text=True, env=os.environ | environment)
    if result.returncode:
        said = (result.stderr.strip() or f"{command} was stopped").splitlines()[-1]
        raise ValueError(said.removeprefix("multitask: error: ").removesuffix(HINT))
    return result.stdout


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with the message and exit code 2."""
        wrong_usage(self.prog, message)
