"""What the training targets hold, found out in one pass before a training starts."""

from collections.abc import Mapping
from typing import NamedTuple

from multitask.data import SceneData, collate
from multitask.tasks import Task
from multitask.tasks.task import Totals

SCENES = 256  # at most; more hardly change a share of pixels or a mean depth


class Survey(NamedTuple):
    """What was found in the training targets.

    Attributes:
        scenes: of the training.
        totals: for each task what :meth:`Task.count` returned, added up.
        labeled: for each task, how many of the scenes that were looked at have its target.
    """

    scenes: int
    totals: dict[str, Totals]
    labeled: dict[str, int]

    def table(self, words: Mapping[str, str]) -> list[str]:
        """Return the lines of a table, with what each task found in words."""
        looked = len(surveyed(self.scenes))
        spread = f", spread over the {self.scenes}" if looked < self.scenes else ""
        lines = [f"targets in {looked} training scenes{spread}:"]
        for name, found in words.items():
            lines.append(f"  {name:<12} {self.labeled[name]:>4}" + (f"  {found}" if found else ""))
        return lines


def survey(data: SceneData, tasks: Mapping[str, Task]) -> Survey:
    """Add up what the tasks count in training scenes, without augmentation: in all, or SCENES evenly spread over them.

    Args:
        data: the scenes.
        tasks: by their names.
    """
    scenes = data.dataset("train")
    totals: dict[str, Totals] = {name: {} for name in tasks}
    labeled = dict.fromkeys(tasks, 0)
    for index in surveyed(len(scenes)):
        batch = collate([scenes[0, index]])
        for name, task in tasks.items():
            if task.target in batch:
                labeled[name] += 1
                for key, count in task.count(batch[task.target]).items():
                    totals[name][key] = totals[name][key] + count if key in totals[name] else count
    return Survey(len(scenes), totals, labeled)


def surveyed(scenes: int) -> list[int]:
    """Return which of so many scenes are looked at."""
    count = min(scenes, SCENES)
    return [number * scenes // count for number in range(count)]
