"""Use a trained network on pictures: from one in memory to folders of files of any size."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from inference.export import Backend, Graph, Runtime, choose, converted, like_torch
from inference.files import Job, jobs
from inference.geometry import Geometry
from inference.pictures import Axes, DataError, Picture, open_picture
from inference.pipeline import Pipeline, Progress, Report, batches
from inference.sizes import Box
from inference.tiles import Tile, default_tile, plan_tiles, run_in_tiles

Precision = Literal["32", "bf16"]
PAYS = 2e12  # operations that take a CPU longer in torch than a conversion and the rest take in another runtime
WHOLE = 1024  # pictures with no longer side are run whole, however little memory there is


class Predictor(ABC):
    """A trained network, and the road from a picture to its result. Base of the applications' predictors.

    A picture is prepared for the network, run with others of its size, and finished: the result in the form of files.
    One that is too large for memory goes another way, as the application has it.

    Args:
        network: in evaluation mode.
        device: where it runs: ``auto`` is a GPU if there is one.
        precision: ``32``, or ``bf16`` for autocast to bfloat16.
        batch_size: how many pictures of one size run together, at least 1.
        tile: the longest side that is run whole, at least 1; None is what fits into the free memory.
        axes: how the arrays of files lie; see :func:`inference.open_picture`.
        backend: what runs the network: ``torch``, or on a CPU ``onnxruntime``, ``openvino``, or ``auto``, the fastest
            of those that are installed, as soon as there are so many files that a conversion pays.

    Raises:
        ValueError: an option outside its range, or a device that is not there.
        ModuleNotFoundError: the backend is not installed.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        device: str,
        precision: Precision,
        batch_size: int,
        tile: int | None = None,
        axes: Axes = "auto",
        backend: Backend = "torch",
    ) -> None:
        for name, value in ("batch_size", batch_size), ("tile", tile):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1; got {value}")
        self.device = _device(device)
        self.network = network.to(self.device)
        self.precision = precision
        choose(backend, self.device)
        self.backend = backend
        self.runtime: Runtime | None = None  # what runs the network in torch's place
        if precision != "32" and backend not in ("torch", "auto"):
            raise ValueError(f"precision {precision} is torch's; set precision to 32, or backend to torch")
        self.batch_size = batch_size
        self.axes = axes
        self._tile = tile
        self._notes: list[str] = []
        self.lock = threading.RLock()  # the network is used by one thread at a time: others read and write files

    # --- what an application has of its own

    def open(self, file: Path) -> Picture:
        """Open a picture."""
        return open_picture(file, axes=self.axes)

    def picture_of(self, value: Any) -> Picture:
        """Make a picture of the path of a file, or of what :meth:`inference.Picture.of` takes.

        Raises:
            DataError: it cannot be read, or is of another kind.
        """
        return self.open(Path(value)) if isinstance(value, str | Path) else Picture.of(value)

    def sources(self, inputs: Sequence[Path]) -> list[Path]:
        """Return where to look for pictures."""
        return list(inputs)

    @abstractmethod
    def prepare(self, picture: Picture) -> Tensor:
        """Read a picture for the network: C x H x W, on the CPU."""

    @abstractmethod
    def run(self, pictures: Tensor) -> Any:
        """Run the network on N x C x H x W, of any size."""

    @abstractmethod
    def finish(self, outputs: Any, index: int, picture: Picture, prepared: Tensor) -> Any:
        """Return the result for the picture at ``index`` of a batch, in the form of files."""

    @abstractmethod
    def targets(self, job: Job, picture: Picture) -> list[Path]:
        """Return the files that :meth:`write` writes."""

    @abstractmethod
    def write(self, job: Job, picture: Picture, result: Any) -> None:
        """Write the result of a picture."""

    def around(self, found: Sequence[Job], overwrite: bool) -> AbstractContextManager[None]:
        """Return the context in which these pictures are predicted: for what is written of all of them together.

        Raises:
            DataError: when it is entered: results cannot be written, and so nothing is.
        """
        return nullcontext()

    @abstractmethod
    def is_large(self, picture: Picture) -> bool:
        """Return whether a picture is too large to be run whole, and goes in parts."""

    @abstractmethod
    def run_large(self, picture: Picture, progress: Progress) -> Any:
        """Return the result of a picture that is too large."""

    def write_large(self, job: Job, picture: Picture, progress: Progress) -> None:
        """Write the result of a picture that is too large."""
        self.write(job, picture, self.run_large(picture, progress))

    @property
    @abstractmethod
    def geometry(self) -> Geometry:
        """The geometry of the network that runs in tiles."""

    @abstractmethod
    def graph(self) -> Graph:
        """Return the graph that other runtimes than torch run."""

    def seam_in_words(self, seam: float) -> str:
        """Return how large a step of the network's output is."""
        return f"{seam:.3g} of the network's output"

    def notes(self) -> list[str]:
        """Return what there is to say of the pictures since the last time."""
        notes, self._notes = self._notes, []
        return notes

    # --- the road

    @property
    def autocast(self) -> AbstractContextManager[Any]:
        """The context for the precision."""
        if self.precision == "32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def convert(self) -> None:
        """Convert the network for its backend; a predictor does so at the end of its ``__init__``.

        Raises:
            ValueError: no graph can do what the network does.
        """
        if self.backend not in ("torch", "auto"):
            self.runtime = converted(self.graph(), self.backend)

    def convert_where_it_pays(self, found: Sequence[Job]) -> None:
        """Convert the network for the fastest runtime, where the backend is ``auto`` and there is enough to do.

        What decides is the number of pictures, the size of the first and the operations of the network, not a time:
        a folder always has the same results. What cannot be converted to the same outputs stays in torch.
        """
        fastest = choose("auto", self.device)
        if self.backend != "auto" or self.runtime is not None or self.precision != "32" or fastest == "torch":
            return
        height = width = 0
        with suppress(DataError):  # it is told when its turn comes
            height, width = self.open(found[0].source).size
        with suppress(ValueError, RuntimeError):  # no graph, or not this runtime, can do what the network does
            graph = self.graph()
            if graph.operations() * height * width * len(found) >= PAYS:
                self.runtime = like_torch(graph, fastest)
        if self.runtime is not None:
            self._notes.append(f"the network ran in {fastest}")

    @cached_property
    def tile(self) -> int:
        """The longest side that is run whole."""
        return self._tile or max(default_tile(self.geometry, self.device), WHOLE)

    def needs_tiles(self, picture: Picture) -> bool:
        """Return whether a picture is larger than a tile."""
        longest = max(picture.size)
        return (self._tile is not None or longest > WHOLE) and longest > self.tile

    def in_tiles(self, network: nn.Module, picture: Picture, progress: Progress) -> Iterator[Tile]:
        """Run a network over a picture tile by tile, and yield its output in rows; unknown pixels are 0 for it.

        Args:
            network: of the geometry.
            picture: read part by part.
            progress: takes how many parts are done, and how many there are.
        """
        plan = plan_tiles(picture.size, self.geometry, self.tile)

        def read(box: Box) -> Tensor:
            return self.prepare(picture.part(box)).nan_to_num(0).to(self.device)

        seam = 0.0
        batch = 1 if self._tile is None else self.batch_size  # one tile alone takes the memory that is free
        with torch.no_grad(), self.autocast:
            for part in run_in_tiles(network, read, plan, batch=batch, progress=progress):
                seam = max(seam, part.seam)
                yield part
        if not plan.exact:
            self._notes.append(
                f"{picture.name}: tiles of {plan.tile[0]} x {plan.tile[1]} that overlap by {plan.overlap} do not cover "
                f"what the network looks at, and are blended; the largest step across a seam is "
                f"{self.seam_in_words(seam)}; a larger tile lowers it"
            )

    @torch.no_grad()
    def run_batch(self, pictures: Sequence[Picture], prepared: Sequence[Tensor]) -> list[Any]:
        """Return the results of pictures that were prepared, of one size."""
        outputs = self.run(torch.stack(list(prepared)).to(self.device))
        pairs = zip(pictures, prepared, strict=True)
        return [self.finish(outputs, index, picture, own) for index, (picture, own) in enumerate(pairs)]

    def results(self, pictures: Iterable[Picture]) -> Iterator[Any]:
        """Yield the result of each picture, in their order."""
        prepared = ((each, None if self.is_large(each) else self.prepare(each)) for each in pictures)
        for group in batches(prepared, self.batch_size, lambda each: object() if each[1] is None else each[1].shape):
            tensors = [tensor for _, tensor in group if tensor is not None]
            if tensors:
                yield from self.run_batch([picture for picture, _ in group], tensors)
            else:
                yield self.run_large(group[0][0], lambda done, parts: None)

    def predict_files(self, inputs: Sequence[str | Path], out: str | Path, *, overwrite: bool = False) -> Report:
        """Run the network on pictures and folders of them, and write the results.

        Pictures are read and results written while the network runs. A picture that fails does not stop the others;
        nothing is written over it, and what is written is whole.

        Args:
            inputs: pictures, and folders that are searched with all below them.
            out: a folder, in which the pictures of a folder keep their place; or for one picture the file to write.
            overwrite: whether results that exist are replaced.

        Raises:
            DataError: an input is not there, or two would go to one place; nothing has been written then.
        """
        found = jobs(self.sources([Path(each) for each in inputs]), Path(out))
        self.convert_where_it_pays(found)
        with self.around(found, overwrite):
            return Pipeline(self, overwrite).run(found)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name} is not there ({str(error).splitlines()[0]}); take cpu or auto") from None
    return device
