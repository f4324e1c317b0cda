"""Whether targets fit the tasks: asked where batches are loaded, as a GPU would be waited for."""

from collections.abc import Mapping
from typing import Any

from inference import DataError
from multitask.tasks import Task


class TargetChecks:
    """Requires that the targets of a batch fit the tasks, by :meth:`multitask.Task.check`.

    Args:
        tasks: by their names.
    """

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        self.tasks = tasks

    def __call__(self, batch: Mapping[str, Any]) -> None:
        """Check a batch.

        Raises:
            DataError: names the scene, the task and the target.
        """
        size = batch["image"].shape[2:]
        for name, task in self.tasks.items():
            if task.target not in batch:
                continue
            try:
                task.check(batch[task.target], size)
            except ValueError as error:
                scene = _scene_to_blame(task, batch)
                raise DataError(f"{scene}task {name}, {task.target}: {error}") from None


def _scene_to_blame(task: Task, batch: Mapping[str, Any]) -> str:
    """Return the first scene whose target is refused, as the start of a message; nothing where no scene has a name."""
    for index, scene in enumerate(batch.get("name", ())):
        try:
            task.check(batch[task.target][index : index + 1], batch["image"].shape[2:])
        except ValueError:
            return f"{scene}: "
    return ""
