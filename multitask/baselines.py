"""What anyone can predict without looking: the measures that a trained network has to beat."""

from collections.abc import Iterator, Mapping
from typing import Any

from torchmetrics import MetricCollection

from multitask.data import SceneData, collate
from multitask.tasks import Task


def measure_constants(data: SceneData, tasks: Mapping[str, Task]) -> dict[str, float]:
    """Measure, on the test scenes, the constant that each task learns from the training targets.

    Such as the most frequent class, the mean depth, no boxes.

    Args:
        data: the scenes.
        tasks: by their names.

    Returns:
        The measures by TASK/MEASURE, of the tasks that have such a constant.
    """
    constants = {name: task.constant(_targets(data, "train", task.target)) for name, task in tasks.items()}
    measured: dict[str, float] = {}
    for name, constant in constants.items():
        if constant is not None:
            metrics = tasks[name].make_metrics()
            for target in _targets(data, "test", tasks[name].target):
                values = [constant] * len(target) if isinstance(target, list) else constant.expand_as(target)
                tasks[name].measure(metrics, values, target)
            measured |= {f"{name}/{key}": float(value) for key, value in _compute(metrics).items()}
    return measured


def _targets(data: SceneData, split: str, target: str) -> Iterator[Any]:
    """The targets of a split's scenes one by one, as batches, without augmentation."""
    scenes = data.scenes(split)
    for index in range(len(scenes)):
        batch = collate([scenes[index]])
        if target in batch:
            yield batch[target]


def _compute(metrics: MetricCollection) -> dict[str, Any]:
    return metrics.compute() if any(metric.update_called for metric in metrics.values()) else {}
