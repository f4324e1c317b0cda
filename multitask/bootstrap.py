"""How sure the metrics of a test are, by a bootstrap over its scenes."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import lightning.pytorch as pl
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_sum

from multitask.metrics import local_metrics
from multitask.picture_metrics import measured_one_by_one
from multitask.tasks import Task
from training.data.sampling import seed_of

DRAWS = 500
BOUNDS = torch.tensor([0.025, 0.975], dtype=torch.float64)

States = dict[str, Tensor]  # of a metric, by their names


class Bootstrap(pl.Callback):
    """Find the 95 % intervals of the metrics of a test.

    They are percentiles of a bootstrap over scenes: of the values that a test set of as many scenes would have, if its
    scenes were drawn from these. Each of 500 draws takes a scene as often as a Poisson distribution of mean 1 says,
    so that no draw waits for the last scene; draws without a scene, which are frequent among very few, do not count.
    The scene's name is the seed: the intervals are the same each time, in batches of any size and in any number of
    processes.

    Metrics whose states are sums over scenes have one: those of an IoU, of errors, of a median by its histogram. That
    of detection, which ranks the boxes of all scenes together, has none.

    Attributes:
        ends: after a test, by TASK/METRIC: where the interval begins and ends.
    """

    def __init__(self) -> None:
        self.ends: dict[str, tuple[float, float]] = {}
        self._tasks: Mapping[str, Task] = {}
        self._sums: dict[str, dict[str, States]] = {}  # each of shape DRAWS x ..., by task and metric
        self._taken: dict[str, Tensor] = {}  # how many scenes each draw has, by task

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget an earlier test."""
        tasks: dict[str, Task] = pl_module.named_tasks()  # type: ignore[operator]
        self.ends = {}
        self._tasks = {name: task for name, task in tasks.items() if task.measures_pictures}
        nothing = torch.zeros(DRAWS, dtype=torch.float64, device=pl_module.device)
        self._taken = {name: nothing.clone() for name in self._tasks}
        self._sums = {
            name: {
                key: {state: _repeated(value) for state, value in states_of(metric).items()}
                for key, metric in local_metrics(task).to(pl_module.device).items()
                if sums_scenes(metric)
            }
            for name, task in self._tasks.items()
        }

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Add each scene to each draw as often as the draw takes it."""
        times = torch.stack([times_taken(name) for name in batch["name"]]).to(pl_module.device)  # scenes x DRAWS
        for name, index, metrics in measured_one_by_one(self._tasks, batch, outputs):
            self._taken[name] += times[index]
            for key, states in self._sums[name].items():
                for state, value in states_of(metrics[key]).items():
                    states[state] += torch.tensordot(times[index], value.double(), 0)

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compute the metrics of each draw, over all processes."""
        for name, task in self._tasks.items():
            metrics = local_metrics(task).to(pl_module.device)
            taken = trainer.strategy.reduce(self._taken[name], reduce_op="sum")
            draws = taken.nonzero().flatten().tolist()
            for key, states in self._sums[name].items():
                sums = {state: trainer.strategy.reduce(value, reduce_op="sum") for state, value in states.items()}
                for own, values in _of_each_draw(key, metrics[key], sums, draws).items():
                    low, high = values.nanquantile(BOUNDS.to(values.device)).tolist()
                    self.ends[f"{name}/{own}"] = low, high
        self._sums, self._taken = {}, {}


def sums_scenes(metric: Metric) -> bool:
    """Return whether the states of a metric are sums over what it was updated with."""
    return all(reduction is dim_zero_sum for reduction in metric._reductions.values())


def states_of(metric: Metric) -> States:
    """Return the states of a metric that sums scenes."""
    return cast(States, metric.metric_state)


def times_taken(scene: str) -> Tensor:
    """Return how often each of DRAWS draws takes a scene, float64."""
    generator = torch.Generator().manual_seed(seed_of("bootstrap", scene))
    return torch.poisson(torch.ones(DRAWS, dtype=torch.float64), generator)


def _repeated(state: Tensor) -> Tensor:
    return torch.zeros(DRAWS, *state.shape, dtype=torch.float64, device=state.device)


def _of_each_draw(key: str, metric: Metric, sums: States, draws: Sequence[int]) -> dict[str, Tensor]:
    """Compute a metric of each of these draws, by the name of the metric, or of each that it returns."""
    types = {state: value.dtype for state, value in states_of(metric).items()}
    found: list[dict[str, Tensor]] = []
    for draw in draws:
        for state, value in sums.items():
            setattr(metric, state, value[draw].to(types[state]))
        value = type(metric).compute(metric)  # without the instance's cache of results, and its wait for processes
        found.append(value if isinstance(value, dict) else {key: value})
    return {name: torch.stack([each[name].double() for each in found]) for name in (found[0] if found else ())}
