"""The metrics of the tasks, of each picture by itself."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from inference.picture_table import Better
from multitask.metrics import local_metrics
from multitask.tasks import Task


def picture_metrics(tasks: Mapping[str, Task]) -> dict[str, Better]:
    """Return by TASK/METRIC the metrics of the tasks that say something of one picture, and which values are better."""
    measured = {name: task for name, task in tasks.items() if task.measures_pictures}
    return {f"{name}/{key}": better for name, task in measured.items() for key, better in task.better.items()}


def measure_pictures(
    tasks: Mapping[str, Task], batch: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Measure each picture of a batch by itself.

    The mean over pictures is in general not the metric of all pictures: an IoU counts all pixels of a class together,
    and an RMSE is the root of the mean of all squares.

    Args:
        tasks: by their names.
        batch: with targets of the tasks; of those that are missing there is nothing to measure.
        values: the predictions, decoded, by the names of the tasks.

    Returns:
        N numbers for each of :func:`picture_metrics`; NaN where a picture has nothing known of a task.
    """
    count = len(batch["image"])
    found = {key: [torch.tensor(torch.nan)] * count for key in picture_metrics(tasks)}
    for name, index, metrics in measured_one_by_one(tasks, batch, values):
        for key, value in metrics.compute().items():
            if key in tasks[name].better:
                found[f"{name}/{key}"][index] = value
    return {key: torch.stack([value.cpu().double() for value in column]) for key, column in found.items()}


def measured_one_by_one(
    tasks: Mapping[str, Task], batch: Mapping[str, Any], values: Mapping[str, Any]
) -> Iterator[tuple[str, int, MetricCollection]]:
    """Yield the metrics of each task after each single picture that has something known of it.

    Args:
        tasks: by their names.
        batch: with targets of the tasks.
        values: the predictions, decoded, by the names of the tasks.

    Yields:
        The task's name, the picture's index in the batch, and the metrics, which start again for the next picture.
    """
    for name, task in tasks.items():
        if not task.measures_pictures or task.target not in batch:
            continue
        metrics = local_metrics(task).to(batch["image"].device)
        for index, measurable in enumerate(task.measurable(batch[task.target])):
            if measurable:
                own = slice(index, index + 1)
                task.update(metrics, values[name][own], batch[task.target][own])
                yield name, index, metrics
                metrics.reset()
