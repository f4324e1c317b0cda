"""Baselines: what can be predicted without looking, which a trained network has to beat."""

from collections.abc import Iterator, Mapping
from typing import Any

from torchmetrics import MetricCollection

from multitask.data import SceneData, collate
from multitask.metrics import local_metrics
from multitask.tasks import Task
from training.data import Split


def measure_baselines(data: SceneData, tasks: Mapping[str, Task]) -> dict[str, float]:
    """Measure, on the test scenes, the constant that each task learns from the training targets.

    Such as the most frequent class, the mean depth, no boxes.

    Args:
        data: the scenes.
        tasks: by their names.

    Returns:
        The metrics by TASK/METRIC, of the tasks that have such a constant.
    """
    baselines = {name: task.baseline(_targets(data, "train", task.target)) for name, task in tasks.items()}
    measured: dict[str, float] = {}
    for name, baseline in baselines.items():
        if baseline is not None:
            metrics = local_metrics(tasks[name])
            for target in _targets(data, "test", tasks[name].target):
                values = [baseline] * len(target) if isinstance(target, list) else baseline.expand_as(target)
                tasks[name].update(metrics, values, target)
            measured |= {f"{name}/{key}": float(value) for key, value in _compute(metrics).items()}
    return measured


def _targets(data: SceneData, split: Split, target: str) -> Iterator[Any]:
    """Yield the targets of a split's scenes one by one, as batches, without augmentation."""
    scenes = data.dataset(split)
    for index in range(len(scenes)):
        batch = collate([scenes[0, index]])
        if target in batch:
            yield batch[target]


def _compute(metrics: MetricCollection) -> dict[str, Any]:
    return metrics.compute() if any(metric.update_called for metric in metrics.values()) else {}
