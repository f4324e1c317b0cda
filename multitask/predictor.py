"""Use a trained model of several tasks on pictures of any size and kind."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from inference import DataError, Picture, predictor, read_checkpoint
from inference.export import Backend, Graph
from inference.files import Job, check_targets
from inference.geometry import Geometry, geometry_of
from inference.pipeline import Progress
from inference.predictor import Precision
from inference.sizes import crop, pad
from losses import at_least_float32
from multitask.data.files import to_image
from multitask.data.transforms import resize_image
from multitask.graph import Heads
from multitask.maps import Maps
from multitask.module import MultiTask
from multitask.tasks.writing import Place, Written


class Predictor(predictor.Predictor):
    """Predict all tasks for pictures with a trained model.

    Called with pictures, it returns what each task says of them, in the form of its target:

        >>> predictor = Predictor("runs/rooms/2026-01-01/checkpoints/best.ckpt")  # doctest: +SKIP
        >>> predictor("kitchen.jpg")["depth"]  # 1 x H x W, in meters  # doctest: +SKIP

    A picture of any size is padded to what the encoder takes, by reflection, and what is predicted cropped to its size;
    only what is said of the whole picture, as by ``Classification``, is said of the padded one. If the scenes of the
    training were resized, pictures are too, and what is predicted is brought back to their size: dense predictions
    bilinearly before they are decoded, boxes by their corners.

    A picture larger than a tile is predicted in tiles, to the same result, if all tasks say something of each pixel;
    see ``inference.tiles``. A task that says something of the whole picture, or of objects in it, needs it whole.

    Args:
        model: a checkpoint's file, or a model, which is put into evaluation mode.
        device: where it runs: ``cpu``, ``cuda``, ``cuda:1``; ``auto`` is a GPU if there is one.
        precision: ``32``, or ``bf16``: faster on GPUs, and precise to about 8 bits.
        batch_size: how many pictures of one size run together, at least 1.
        tile: the longest side that is predicted whole; by default what fits into the free memory.
        backend: what runs the network: ``torch``, or on a CPU ``onnxruntime``, ``openvino`` (the extras ``export``
            and ``openvino``), or ``auto``, the fastest of those that are installed, as soon as there are so many files
            that the conversion pays. It takes half a minute; tiles are torch's.

    Raises:
        ValueError: the checkpoint cannot be read, an option is outside its range, or the device is not there.
    """

    def __init__(
        self,
        model: str | Path | MultiTask,
        *,
        device: str = "auto",
        precision: Precision = "32",
        batch_size: int = 8,
        tile: int | None = None,
        backend: Backend = "torch",
    ) -> None:
        self.model = model if isinstance(model, MultiTask) else load(Path(model))
        options: dict[str, Any] = {"device": device, "precision": precision, "batch_size": batch_size, "tile": tile}
        super().__init__(self.model.eval(), **options, backend=backend)
        self.tasks = self.model.named_tasks()
        targets = {name: task.target for name, task in self.tasks.items()}
        alike = len(set(targets.values())) < len(targets)
        self._kinds = {name: name if alike else target for name, target in targets.items()}
        self._written: dict[Path, dict[str, list[Written]]] = {}  # by folder and task
        self.convert()

    def __call__(self, pictures: Any) -> Any:
        """Predict all tasks for one picture, or for a list of them.

        Args:
            pictures: the path of a file, a NumPy array (height x width x channels), a tensor (channels x height x
                width), a picture of Pillow's, or a :class:`inference.Picture`; or a list of these. Gray and RGBA become
                RGB. Integers have the range of their type, floating point numbers are in [0, 1].

        Returns:
            By the name of each task what it predicts, in the form of its target and at the picture's size, on the CPU;
            for a list a list of these.

        Raises:
            DataError: a picture cannot be read, or has other channels or numbers.
        """
        if isinstance(pictures, list | tuple):
            return list(self.results(self.picture_of(each) for each in pictures))
        return next(self.results([self.picture_of(pictures)]))

    def describe(self) -> list[str]:
        """Return in a line for each task which files it writes."""
        return [
            f"{name}: {', '.join(str(file) for file in self._files_of(name, Path(), 'NAME'))}" for name in self.tasks
        ]

    # --- one batch

    def prepare(self, picture: Picture) -> Tensor:
        """Read a picture for the encoder: 3 x H x W in [0, 1]."""
        return to_image(picture).as_subclass(Tensor)

    def run(self, pictures: Tensor) -> dict[str, Any]:
        """Predict N x 3 x H x W in [0, 1], of any size: for each task the values of the batch."""
        height, width = pictures.shape[2:]
        resized = pictures if self.model.resize is None else resize_image(pictures, self.model.resize)
        if self.runtime is None:
            with self.autocast:
                return self.model.values(resized, (height, width))
        with self.lock:
            outputs = self.runtime(pad(resized, self.model.encoder.stride))
        predictions = self.heads.predictions(outputs)
        return self.model.decode(self.model.at_size(predictions, (resized.shape[2], resized.shape[3]), (height, width)))

    def finish(self, outputs: dict[str, Any], index: int, picture: Picture, prepared: Tensor) -> dict[str, Any]:
        """Return the values for one picture, on the CPU."""
        return {name: _on_cpu(values[index]) for name, values in outputs.items()}

    @cached_property
    def heads(self) -> Heads:
        """The model, as a network whose outputs are those of its heads."""
        return Heads(self.model)

    def graph(self) -> Graph:
        """Return the graph of this network."""
        return self.heads.graph()

    # --- a large picture

    @cached_property
    def maps(self) -> Maps:
        """The model, as a network whose output has the size of its pictures."""
        return Maps(self.model)

    @cached_property
    def geometry(self) -> Geometry:
        """The geometry of this network."""
        return geometry_of(self.maps, 3, self.model.encoder.stride)

    def is_large(self, picture: Picture) -> bool:
        """Return whether a picture is larger than a tile."""
        return self.model.resize is None and self.needs_tiles(picture)

    def run_large(self, picture: Picture, progress: Progress) -> dict[str, Any]:
        """Predict a picture tile by tile.

        Raises:
            DataError: there is a task that needs it whole.
        """
        if self.maps.whole:
            raise DataError(
                f"{picture.name}: {picture.height} x {picture.width} pixels are more than a tile of {self.tile}, and "
                f"{', '.join(self.maps.whole)} cannot be predicted in tiles; take a smaller picture, or a larger tile"
            )
        result: dict[str, Tensor] = {}
        for part in self.in_tiles(self.maps, picture, progress):
            for name, prediction in self.maps.split(part.output[None]).items():
                values = _on_cpu(self.tasks[name].decode(prediction)[0])
                if name not in result:
                    result[name] = values.new_empty((*values.shape[:-2], *picture.size))
                crop(result[name], part.box).copy_(values)
        return result

    # --- files

    def _place(self, name: str, folder: Path) -> Place:
        return Place(folder, self._kinds[name])

    def _files_of(self, name: str, folder: Path, picture: str) -> list[Path]:
        task, place = self.tasks[name], self._place(name, folder)
        return [*task.files(place, picture), *task.shared_files(place)]

    def _files(self, job: Job) -> list[Path]:
        """The files of one picture alone."""
        folder, picture = job.stem.parent, job.stem.name
        return [file for name, task in self.tasks.items() for file in task.files(self._place(name, folder), picture)]

    @contextmanager
    def around(self, found: Sequence[Job], overwrite: bool) -> Iterator[None]:
        """Write the files of several pictures at the end, whatever has ended the work.

        Raises:
            DataError: they exist, or a result would be written over one of the pictures.
        """
        self._check(found, overwrite)
        self._written = {job.stem.parent: {name: [] for name in self.tasks} for job in found}
        try:
            yield
        finally:
            for folder, tasks in self._written.items():
                for name, written in tasks.items():
                    if written:
                        by_file = sorted(written, key=lambda each: each.source)
                        self.tasks[name].write_shared(self._place(name, folder), by_file)

    def _check(self, found: Sequence[Job], overwrite: bool) -> None:
        sources = {job.source.resolve() for job in found}
        for job in found:
            if job.target is not None:
                raise DataError(f"{job.target}: several files are written for a picture; give a folder")
            for file in self._files(job):
                if file.resolve() in sources:
                    raise DataError(f"{file}: a result would be written over this picture; choose another place")
        for folder in dict.fromkeys(job.stem.parent for job in found):
            shared = [
                file for name, task in self.tasks.items() for file in task.shared_files(self._place(name, folder))
            ]
            check_targets(found[0], shared, overwrite)

    def targets(self, job: Job, picture: Picture) -> list[Path]:
        """Return the files of one picture alone."""
        return self._files(job)

    def write(self, job: Job, picture: Picture, result: dict[str, Any]) -> None:
        """Write the values for one picture, and keep what the files of several pictures need."""
        folder, name = job.stem.parent, job.stem.name
        kept = {key: task.write(result[key], self._place(key, folder), name) for key, task in self.tasks.items()}
        for key, each in kept.items():
            self._written[folder][key].append(Written(job.source, picture.size, each))


def load(checkpoint: Path) -> MultiTask:
    """Rebuild a model from its checkpoint.

    Args:
        checkpoint: the file.

    Raises:
        ValueError: it cannot be read, or is not of several tasks.
    """
    if "tasks" not in read_checkpoint(checkpoint)["hyper_parameters"]:
        raise ValueError(f"{checkpoint}: a checkpoint of another model than multitask; take one of its own")
    return MultiTask.load_from_checkpoint(checkpoint, map_location="cpu")


def _on_cpu(values: Any) -> Any:
    """Return a tensor, or a dictionary of them, on the CPU, without the rest of its batch and in no half precision."""
    if isinstance(values, dict):
        return {key: _on_cpu(each) for key, each in values.items()}
    values = at_least_float32(values) if values.is_floating_point() else values
    return values.detach().cpu().clone()
