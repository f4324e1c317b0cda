"""``multitask doctor``: what is wrong with scenes, before a training on them begins."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

from inference import DataError
from inference.configuration import read_yaml
from inference.pictures import Picture
from multitask.data import SceneData, collate
from multitask.tasks import Task
from training.configurations import configuration_at
from training.data import Split
from training.doctor import GLANCE, Examined, Finding, Place, Severity, evenly, examine, tell
from training.doctor.duplicates import duplicates
from training.doctor.page import write_page
from training.failures import OneLineErrors
from training.run_data import data_of_config

SPLITS: tuple[Split, ...] = ("train", "val", "test")


def doctor(data: str, *, root: str | None = None, json: str | None = None, html: str | None = None) -> None:
    """Read every scene completely, with its targets, and report what is wrong with the data and what to do.

    It finds scenes that cannot be read, or whose targets do not fit the tasks (classes that do not exist, boxes outside
    the picture, NaN); scenes that are in two splits or twice in one, even if they differ in compression or size;
    pictures of one color; tasks without a target; and classes that no training scene has. The exit code is 1 if
    something must be fixed.

    Args:
        data: the folder of a run; or a configuration, a file or the name of one that comes with the package.
        root: the folder of the data set, instead of the configuration's.
        json: a file to write all findings to.
        html: a folder for a page that shows the scenes that the findings name.

    Raises:
        DataError: there is no configuration, or something must be fixed.
    """
    configuration = configuration_at(data, "multitask")
    if configuration is None:
        raise DataError(
            f"{data}: no such run, and no such configuration; give one, whose tasks say what the targets are"
        )
    module = data_of_config(configuration, SceneData, root)
    examination = Examination(module, tasks_of(configuration))
    samples: list[Examined] = []
    findings: list[Finding] = []
    for split in SPLITS:
        try:
            samples += examination.of(split)
        except DataError as error:
            says = f"split cannot be used ({error})"
            severity: Severity = "warning" if split == "test" else "error"
            findings.append(Finding(severity, says, [Place((), split)], "see the message"))
    if not samples:
        raise DataError(f"{data}: {findings[0].says}")
    findings += [*of_scenes(samples), *examination.of_targets()]
    if html is not None:
        page = write_page(Path(html), data, samples, findings, lambda each: examination.open(each.split, each.position))
        print(f"page: {page}")
    tell(samples, findings, json, examination.counts())


def glance(module: SceneData, tasks: Mapping[str, Task]) -> list[Finding]:
    """Examine some training scenes, as ``doctor`` all: before a training, in a moment."""
    return of_scenes(Examination(module, tasks).of("train", GLANCE))


def tasks_of(configuration: Path) -> dict[str, Task]:
    """Build the tasks of a configuration.

    Raises:
        ValueError: there are none, or one cannot be built.
    """
    try:
        recipes = read_yaml(configuration)["model"]["tasks"]
    except (KeyError, TypeError):
        raise ValueError(f"{configuration}: no tasks in it") from None
    parser = OneLineErrors(prog=str(configuration))
    parser.add_argument("--tasks", type=dict[str, Task | None])
    tasks = parser.instantiate_classes(parser.parse_object({"tasks": recipes})).tasks
    return {name: task for name, task in tasks.items() if task is not None}


class Examination:
    """Reads scenes, and counts the targets of the tasks in them.

    Args:
        data: the scenes.
        tasks: by their names.
    """

    def __init__(self, data: SceneData, tasks: Mapping[str, Task]) -> None:
        self.data = data
        self.tasks = tasks
        self.labeled: dict[tuple[str, str], int] = {}  # scenes with a target, by split and task
        self.totals: dict[str, dict[str, Tensor]] = {name: {} for name in tasks}  # of the training scenes
        self._lock = Lock()  # scenes are read in threads

    def of(self, split: Split, most: int | None = None) -> list[Examined]:
        """Examine the scenes of a split.

        Args:
            split: which.
            most: how many at most, from the whole split; all by default.

        Raises:
            DataError: it is missing or empty.
        """
        layout = self.data.layout(split)
        self.labeled |= {(split, name): 0 for name in self.tasks}

        names = [str(index) for index in range(len(layout))]  # until a scene says how it is called

        def read(index: int) -> dict[str, Picture]:
            batch = collate([layout[index]])
            names[index] = Path(batch["name"][0]).stem
            self._take(split, batch)
            return _picture_in(batch)

        samples = examine(split, names, read, evenly(len(names), most))
        return [sample._replace(name=names[sample.position]) for sample in samples]

    def open(self, split: Split, index: int) -> dict[str, Picture]:
        """Open the picture of a scene, without a look at its targets."""
        return _picture_in(collate([self.data.layout(split)[index]]))

    def _take(self, split: Split, batch: Mapping[str, Any]) -> None:
        """Check the targets of a scene, and count what is in them."""
        (where,) = batch["name"]
        for name, value in batch.items():
            if isinstance(value, Tensor) and value.is_floating_point() and not value.isfinite().all():
                raise DataError(f"{where}: {name} holds NaN or infinite values")
        for name, task in self.tasks.items():
            if task.target not in batch:
                continue
            try:
                task.check(batch[task.target], batch["image"].shape[2:])
            except ValueError as error:
                raise DataError(f"{where}: task {name}, {task.target}: {error}") from None
            counted = task.count(batch[task.target])
            with self._lock:
                self.labeled[split, name] += 1
                if split == "train":
                    totals = self.totals[name]
                    totals |= {key: totals[key] + value if key in totals else value for key, value in counted.items()}

    def counts(self) -> list[tuple[str, str, str, str]]:
        """Return for each task, in a row, how many training scenes have its target, and what is in these."""
        found = {name: task.start_from(self.totals[name], nn.Identity()) for name, task in self.tasks.items()}
        return [("train", name, str(self.labeled.get(("train", name), 0)), words) for name, words in found.items()]

    def of_targets(self) -> list[Finding]:
        """Return what is wrong with the targets as a whole."""
        findings = []
        missing = [Place((), f"{name} in {split}") for (split, name), count in self.labeled.items() if count == 0]
        if missing:
            remedy = "give some scenes labels, or leave the task out: --model.tasks.TASK null"
            findings.append(Finding("error", "tasks have no target in a split", missing, remedy))
        absent = [
            Place((), f"{name}: {label}")
            for name, task in self.tasks.items()
            for counts in self.totals[name].values()
            if torch.is_tensor(counts) and counts.dim() == 1
            for label, count in zip(getattr(task, "names", ()), counts.tolist(), strict=False)
            if count == 0
        ]
        if absent:
            findings.append(
                Finding("warning", "classes are in no training scene", absent, "they cannot be learned; is that right?")
            )
        return findings


def _picture_in(batch: Mapping[str, Any]) -> dict[str, Picture]:
    return {"image": Picture.of(batch["image"][0].as_subclass(Tensor).float(), batch["name"][0])}


def of_scenes(samples: Sequence[Examined]) -> list[Finding]:
    """Return what is wrong with scenes that were examined."""
    findings = duplicates(samples, "scenes")
    if broken := [sample.place(sample.error) for sample in samples if sample.error is not None]:
        findings.append(
            Finding("error", "scenes cannot be read or do not fit the tasks", broken, "repair or remove them")
        )
    if constant := [each.place() for each in samples if each.error is None and each.facts["image"].constant]:
        findings.append(Finding("warning", "pictures have one color alone", constant, "remove them if they are empty"))
    return findings
