"""What an evaluation measures, over all batches and processes."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, MetricCollection

from multitask.tasks import Task


class Measures(nn.Module):
    """The mean loss and the measures of each task, of those batches that have its target.

    Args:
        tasks: the tasks, by their names.
    """

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        super().__init__()
        self.losses = nn.ModuleDict({name: MeanMetric() for name in tasks})
        self.metrics = nn.ModuleDict({name: task.make_metrics() for name, task in tasks.items()})

    def update(self, name: str, task: Task, loss: Tensor, values: Any, target: Any) -> None:
        """Take a batch of a task into account.

        Args:
            name: of the task.
            task: the task.
            loss: the batch's, a scalar.
            values: the predictions, decoded.
            target: the truth.
        """
        cast(MeanMetric, self.losses[name]).update(loss, len(target))
        task.measure(cast(MetricCollection, self.metrics[name]), values, target)

    def compute(self, anywhere: Callable[[bool], bool]) -> dict[str, Tensor]:
        """Give TASK, its mean loss, and TASK/MEASURE of each task that was measured, and loss, their sum; start again.

        Args:
            anywhere: tells whether something holds in one process at least. They all must go through the same measures,
                or one would wait for the others for ever.
        """
        found: dict[str, Tensor] = {}
        losses = []
        for name, metrics in cast(Mapping[str, MetricCollection], self.metrics).items():
            loss = cast(MeanMetric, self.losses[name])
            if anywhere(loss.update_called):
                with warnings.catch_warnings():  # of measures without a batch: there was one in another process
                    warnings.filterwarnings("ignore", ".*was called before the ``update`` method")
                    found[name] = loss.compute()
                    found |= {f"{name}/{key}": value for key, value in metrics.compute().items()}
                losses.append(found[name])
            loss.reset()
            metrics.reset()
        return found | {"loss": torch.stack(losses).sum()} if losses else found
