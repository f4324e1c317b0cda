"""The same run under several weightings and seeds, in one table and one figure."""

import copy
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import losses
from multitask.comparison.budget import EQUAL, Budget, steps_in_same_time
from multitask.comparison.figure import draw_comparison
from multitask.comparison.table import Result, write_tables
from multitask.comparison.tuning import best_rates
from multitask.tasks.parts import likelihoods_of
from multitask.tasks.task import Better, build_task
from training import Metrics
from training.comparison.folder import claimed
from training.comparison.run import Config, Run
from training.comparison.schedule import nothing_more, train_all

STATIC = "gradnorm-static"
CLASSES = {EQUAL: "FixedWeighting", "uncertainty": "UncertaintyWeighting", "gradnorm": "GradNorm"}
WEIGHTINGS = (EQUAL, "grid", "uncertainty", "gradnorm", STATIC)  # what is compared unless others are named
RAISED = 3.0  # in the grid of fixed weights each task in turn weighs three times as much as the others


def compare(
    config: Config,
    out: Path,
    seeds: int,
    jobs: int,
    weightings: Sequence[str] = WEIGHTINGS,
    rates: Sequence[float] = (),
    budget: Budget = "steps",
) -> None:
    """Train the variants of a configuration that are not trained yet, and write the tables and the figure.

    Args:
        config: the whole configuration of a fit.
        out: folder of all its runs, and of compare.md, compare.csv and compare.png.
        seeds: every variant is trained with the seeds 0 to ``seeds`` - 1; at least 1.
        jobs: runs at the same time, which share the processor cores; at least 1.
        weightings: what is compared beside each task alone, as :func:`variants` takes it.
        rates: learning rates, > 0, of which every variant is trained with its best: tried with the seed 0, and chosen
            by the metrics on the validation scenes, see :func:`best_rates`. Those of the configuration if none is
            given.
        budget: what all have alike: ``steps``, those of the configuration, or ``time``, that of equal weights for these
            steps, see :func:`steps_in_same_time`.

    Raises:
        ValueError: an option outside its range, a run fails, or ``out`` holds another comparison.
    """
    for name, value in ("seeds", seeds), ("jobs", jobs):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}")
    if any(rate <= 0 for rate in rates):
        raise ValueError(f"lrs must be above 0; got {','.join(f'{rate:g}' for rate in rates)}")
    trained = list(variants(config, weightings))
    what = "holds a comparison of another configuration or budget"
    with claimed(out, config | {"budget": budget}, {"budget": "steps"}, what):
        steps = _steps(config, out, trained, jobs) if budget == "time" else {}
        tasks, better = list(config["model"]["tasks"]), better_of(config)
        lost = len(trained) * (len(set(rates)) - 1) if rates else 0  # runs with the other rates, which are in no table
        count = lost + seeds * (len(trained) + (STATIC in weightings))
        best = _tuned(out, trained, rates, steps, jobs, better, count) if rates else {}
        runs = [
            _run(out, name, seed, each, best.get(name), steps.get(name))
            for seed in range(seeds)
            for name, each in trained
        ]
        follow = partial(followers, steps=steps.get(STATIC)) if STATIC in weightings else nothing_more
        over = train_all(runs, jobs, count, follow, lost)
        static = sorted((run for run in over if run.name == STATIC), key=lambda run: run.seed)
        results = [Result(run.name, run.seed, run.test_metrics()) for run in [*runs, *static]]
        print(write_tables(out, results, better, best, {each.name: steps[each.name] for each in results if steps}))
        weighted = [each for names in weighted_in(config).values() for each in names]
        histories = {(run.name, run.seed): Metrics(run.metrics_file()) for run in runs}
        draw_comparison(tasks, weighted, histories).savefig(out / "compare.png")
        print(f"table: {out}/compare.md   all numbers: {out}/compare.csv   figure: {out}/compare.png")


def variants(config: Config, weightings: Sequence[str] = WEIGHTINGS) -> Iterator[tuple[str, Config]]:
    """Yield the names and configurations of all that is trained for a seed, except GradNorm's static weights.

    Args:
        config: of a fit. The options of its weighting are kept in the variant of the same class, except fixed weights.
        weightings: ``equal``, ``uncertainty``, ``gradnorm``, ``gradnorm-static``, which needs ``gradnorm``, ``grid``,
            for a grid of fixed weights, or the name of a class of weightings in ``losses``.

    Raises:
        ValueError: a weighting that there is not, that is named twice, or static weights without GradNorm.
    """
    classes = {name for name, kind in vars(losses.weighting).items() if isinstance(kind, type)} - {"Weighting"}
    for name in weightings:
        if name not in WEIGHTINGS and name not in classes:
            raise ValueError(f"weightings must be of {', '.join(WEIGHTINGS)}, or classes such as FAMO; got {name}")
    if len(set(weightings)) < len(weightings) or (STATIC in weightings and "gradnorm" not in weightings):
        raise ValueError(f"weightings must differ, and {STATIC} needs gradnorm; got {','.join(weightings)}")
    tasks = config["model"]["tasks"]
    for task in tasks:
        yield f"{task}-alone", _with(config, "FixedWeighting", tasks={task: tasks[task]})
    for name in weightings:
        if name == "grid":
            yield from _grid(config)
        elif name != STATIC:
            yield name, _with(config, CLASSES.get(name, name))


def _grid(config: Config) -> Iterator[tuple[str, Config]]:
    tasks = config["model"]["tasks"]
    for task in tasks:
        weights = {each: RAISED if own == task else 1.0 for own, names in weighted_in(config).items() for each in names}
        scale = len(weights) / sum(weights.values())  # the sum of all weights is the same for all
        yield f"more-{task}", _with(config, "FixedWeighting", weights={t: w * scale for t, w in weights.items()})


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


def _run(out: Path, name: str, seed: int, config: Config, rate: float | None, steps: int | None) -> Run:
    """A run with a learning rate that is chosen out of several, or with that of the configuration."""
    if rate is None:
        return Run("multitask", out, name, seed, config, steps)
    rated = config | {"model": config["model"] | {"lr": rate}}
    return Run("multitask", out, name, seed, rated, steps, f"-lr{rate:g}")


def _tuned(
    out: Path,
    trained: Sequence[tuple[str, Config]],
    rates: Sequence[float],
    steps: Mapping[str, int],
    jobs: int,
    better: Mapping[str, Mapping[str, Better]],
    count: int,
) -> dict[str, float]:
    """The best learning rate of each variant: that of the seed 0 whose metrics on the validation scenes are best."""
    tried = {name: {rate: _run(out, name, 0, each, rate, steps.get(name)) for rate in rates} for name, each in trained}
    train_all([run for own in tried.values() for run in own.values()], jobs, count)
    measured = {name: {rate: run.val_metrics("val/loss") for rate, run in own.items()} for name, own in tried.items()}
    return best_rates(measured, better)


def with_static_weights(run: Run, steps: int | None = None) -> Run:
    """Return the run that keeps the average weights of a run of GradNorm from its start (Chen et al. 2018).

    Args:
        run: of GradNorm.
        steps: of the run with fixed weights, as :class:`Run` has them.
    """
    weights = losses.time_average(Metrics(run.metrics_file()).columns("weight/"))
    return replace(run, name=STATIC, config=_with(run.config, "FixedWeighting", weights=weights), steps=steps)


def followers(run: Run, steps: int | None = None) -> list[Run]:
    """Return the runs, of so many steps, that need what a run has found."""
    return [with_static_weights(run, steps)] if run.name == "gradnorm" else []


def better_of(config: Config) -> dict[str, dict[str, Better]]:
    """Return for each task of a configuration its metrics, and whether a higher or lower value is better."""
    classes = {name: pkgutil.resolve_name(task["class_path"]) for name, task in config["model"]["tasks"].items()}
    return {name: dict(cls.better) for name, cls in classes.items()}


def _steps(config: Config, out: Path, trained: Sequence[tuple[str, Config]], jobs: int) -> dict[str, int]:
    """The steps of all variants in the same time; fixed weights are all as fast as equal ones, which are measured."""
    measured = {name: each for name, each in trained if not name.startswith("more-")}
    steps = steps_in_same_time(out, {EQUAL: _with(config, "FixedWeighting")} | measured, jobs)
    return {name: steps.get(name, steps[EQUAL]) for name in [*dict(trained), STATIC]}
