"""Pictures of what the tasks predict."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from multitask.tasks import Task


def draw_tasks(tasks: Mapping[str, Task], batch: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Tensor]:
    """Draw the images of a batch, then target and prediction of each task; gray where there is no target.

    Args:
        tasks: by their names.
        batch: with the targets of some of the tasks.
        values: the predictions, decoded, by the names of the tasks.

    Returns:
        By their titles pictures N x 3 x H x W in [0, 1].
    """
    images = batch["image"].float()
    rows = {"image": images}
    for name, task in tasks.items():
        target = task.draw(batch[task.target], images) if task.target in batch else torch.full_like(images, 0.5)
        rows |= {f"{name} target": target, f"{name} predicted": task.draw(values[name], images)}
    return rows


def legend_of(tasks: Mapping[str, Task]) -> dict[str, Tensor]:
    """Return the colors of the classes of all tasks; with the task's name where another has another color."""
    found: dict[str, Tensor] = {}
    for task_name, task in tasks.items():
        for name, color in task.legend().items():
            same = torch.equal(found.setdefault(name, color), color)
            found[name if same else f"{task_name}: {name}"] = color
    return found
