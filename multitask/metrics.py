"""The metrics of an evaluation, over all batches and processes."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, MetricCollection

from multitask.tasks import Task


def local_metrics(task: Task) -> MetricCollection:
    """Build the metrics of a task for one process alone, which computes them whatever the others do."""
    metrics = task.build_metrics()
    for metric in metrics.values():
        metric.distributed_available_fn = lambda: False
    return metrics


class TaskMetrics(nn.Module):
    """The mean loss and the metrics of each task, over those batches that have its target.

    Args:
        tasks: the tasks, by their names.
    """

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        super().__init__()
        self.losses = nn.ModuleDict({name: MeanMetric() for name in tasks})
        self.metrics = nn.ModuleDict({name: task.build_metrics() for name, task in tasks.items()})

    def update(self, name: str, task: Task, loss: Tensor, values: Any, target: Any) -> None:
        """Update the metrics with a batch of a task.

        Args:
            name: of the task.
            task: the task.
            loss: the batch's, a scalar.
            values: the predictions, decoded.
            target: the truth.
        """
        cast(MeanMetric, self.losses[name]).update(loss, len(target))
        task.update(cast(MetricCollection, self.metrics[name]), values, target)

    def compute(self, anywhere: Callable[[bool], bool]) -> dict[str, Tensor]:
        """Return the results of each task that was evaluated, and start again.

        Args:
            anywhere: tells whether something holds in one process at least. All processes must compute the same
                metrics, or one would wait for the others forever.

        Returns:
            TASK, its mean loss; TASK/METRIC; and loss, the sum of the mean losses.
        """
        found: dict[str, Tensor] = {}
        losses = []
        for name, metrics in cast(Mapping[str, MetricCollection], self.metrics).items():
            loss = cast(MeanMetric, self.losses[name])
            if anywhere(loss.update_called):
                with warnings.catch_warnings():  # metrics without a batch here had one in another process
                    warnings.filterwarnings("ignore", ".*was called before the ``update`` method")
                    found[name] = loss.compute()
                    found |= {f"{name}/{key}": value for key, value in metrics.compute().items()}
                losses.append(found[name])
            loss.reset()
            metrics.reset()
        return found | {"loss": torch.stack(losses).sum()} if losses else found
