"""Use a trained network on pictures: from one in memory to folders of files of any size."""

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from inference.files import Job, check_targets, jobs
from inference.pictures import Axes, DataError, Picture, open_picture

Precision = Literal["32", "bf16"]
Progress = Callable[[int, int], None]  # takes how many parts are done, and how many there are
T = TypeVar("T")
R = TypeVar("R")


class Report(NamedTuple):
    """What became of files.

    Attributes:
        written: how many pictures have their results.
        failed: a line for each that has not, which begins with its name.
        notes: what else there is to say.
    """

    written: int
    failed: list[str]
    notes: list[str]

    def tell(self, done: str) -> None:
        """Print the notes, and what failed.

        Args:
            done: what should have become of the pictures, such as "translated".

        Raises:
            DataError: something failed.
        """
        for line in [*self.notes, *(f"failed: {line}" for line in self.failed)]:
            print(line)
        if self.failed:
            everything = self.written + len(self.failed)
            raise DataError(f"{len(self.failed)} of {everything} pictures could not be {done}, named above")


class Predictor(ABC):
    """A trained network, and the road from a picture to its result. Base of the applications' predictors.

    A picture is prepared for the network, run with others of its size, and finished: the result in the form of files.
    One that is too large for memory goes another way, as the application has it.

    Args:
        network: in evaluation mode.
        device: where it runs: ``auto`` is a GPU if there is one.
        precision: ``32``, or ``bf16`` for autocast to bfloat16.
        batch_size: how many pictures of one size run together, at least 1.
        axes: how the arrays of files lie; see :func:`inference.open_picture`.

    Raises:
        ValueError: an option outside its range, or a device that is not there.
    """

    def __init__(
        self, network: nn.Module, *, device: str, precision: Precision, batch_size: int, axes: Axes = "auto"
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1; got {batch_size}")
        self.device = _device(device)
        self.network = network.to(self.device)
        self.precision = precision
        self.batch_size = batch_size
        self.axes = axes
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

    def is_large(self, picture: Picture) -> bool:
        """Return whether a picture is too large to be run whole, and goes in parts."""
        return False

    def run_large(self, picture: Picture, progress: Progress) -> Any:
        """Return the result of a picture that is too large."""
        raise NotImplementedError

    def write_large(self, job: Job, picture: Picture, progress: Progress) -> None:
        """Write the result of a picture that is too large."""
        self.write(job, picture, self.run_large(picture, progress))

    def notes(self) -> list[str]:
        """Return what there is to say of the pictures since the last time."""
        return []

    # --- the road

    @property
    def autocast(self) -> AbstractContextManager[Any]:
        """The context for the precision."""
        if self.precision == "32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    @torch.no_grad()
    def results(self, pictures: Iterable[Picture]) -> Iterator[Any]:
        """Yield the result of each picture, in their order."""
        prepared = ((each, None if self.is_large(each) else self.prepare(each)) for each in pictures)
        for group in batches(prepared, self.batch_size, lambda each: object() if each[1] is None else each[1].shape):
            tensors = [tensor for _, tensor in group if tensor is not None]
            if not tensors:
                yield self.run_large(group[0][0], lambda done, parts: None)
                continue
            outputs = self.run(torch.stack(tensors).to(self.device))
            for index, (picture, tensor) in enumerate(zip([each for each, _ in group], tensors, strict=True)):
                yield self.finish(outputs, index, picture, tensor)

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
        with self.around(found, overwrite):
            return _Files(self, overwrite).run(found)


class _Opened(NamedTuple):
    """A picture on its way: opened, and prepared unless it is large; or the error that ended it."""

    job: Job
    picture: Picture | None = None
    prepared: Tensor | None = None
    error: str | None = None


class _Files:
    """One call of :meth:`Predictor.predict_files`."""

    def __init__(self, predictor: Predictor, overwrite: bool) -> None:
        self.predictor = predictor
        self.overwrite = overwrite
        self.failed: list[str] = []
        self.written = self.pixels = 0

    def run(self, found: list[Job]) -> Report:
        start = time.perf_counter()
        with (
            torch.no_grad(),
            ThreadPoolExecutor(2) as threads,
            tqdm(total=len(found), unit=" pictures", disable=None, file=sys.stderr) as bar,
        ):
            writing: deque[tuple[_Opened, Future[None]]] = deque()
            opened = read_ahead(threads, self._open, found, 2 * self.predictor.batch_size)
            for group in batches(opened, self.predictor.batch_size, _kind):
                for each, write in self._work(group):
                    writing.append((each, threads.submit(write)))
                while len(writing) > 2 * self.predictor.batch_size:
                    self._written(*writing.popleft())
                bar.update(len(group))
            while writing:
                self._written(*writing.popleft())
        seconds = time.perf_counter() - start
        megapixels = self.pixels / 1e6
        speed = (
            f"{self.written} picture{'s' * (self.written != 1)} of {megapixels:.1f} megapixels in {seconds:.1f} s, "
            f"{self.written / seconds:.1f} pictures or {megapixels / seconds:.1f} megapixels a second"
        )
        return Report(self.written, self.failed, [speed, *self.predictor.notes()])

    def _open(self, job: Job) -> _Opened:
        try:
            picture = self.predictor.open(job.source)
            check_targets(job, self.predictor.targets(job, picture), self.overwrite)
            job.stem.parent.mkdir(parents=True, exist_ok=True)
            prepared = None if self.predictor.is_large(picture) else self.predictor.prepare(picture)
        except (ValueError, OSError) as error:
            return _Opened(job, error=named(error, job))
        return _Opened(job, picture, prepared)

    def _work(self, group: list[_Opened]) -> Iterator[tuple[_Opened, Callable[[], None]]]:
        """Run a batch, and yield what is left to do for each of its pictures: to write the result."""
        first = group[0]
        if first.error is not None:
            self.failed.append(first.error)
        elif first.prepared is None:
            assert first.picture is not None, "it was opened"
            self._large(first.job, first.picture)
        else:
            tensors = [each.prepared for each in group if each.prepared is not None]
            outputs = self.predictor.run(torch.stack(tensors).to(self.predictor.device))
            for index, (each, tensor) in enumerate(zip(group, tensors, strict=True)):
                assert each.picture is not None, "it was prepared"
                result = self.predictor.finish(outputs, index, each.picture, tensor)
                yield each, partial(self.predictor.write, each.job, each.picture, result)

    def _large(self, job: Job, picture: Picture) -> None:
        pixels = picture.height * picture.width / 1e6
        with tqdm(total=round(pixels, 1), unit=" megapixels", leave=False, disable=None, file=sys.stderr) as bar:

            def progress(done: int, all_parts: int) -> None:
                bar.update(round(pixels * done / all_parts, 1) - bar.n)

            try:
                self.predictor.write_large(job, picture, progress)
            except (ValueError, OSError) as error:
                self.failed.append(named(error, job))
                return
        self._count(picture)

    def _written(self, opened: _Opened, future: Future[None]) -> None:
        try:
            future.result()
        except (ValueError, OSError) as error:
            self.failed.append(named(error, opened.job))
        else:
            self._count(opened.picture)

    def _count(self, picture: Picture | None) -> None:
        assert picture is not None, "it was written"
        self.written += 1
        self.pixels += picture.height * picture.width


def named(error: Exception, job: Job) -> str:
    """Return an error as one line that begins with the picture's name."""
    line = " ".join(str(error).split())
    return line if str(job.source) in line else f"{job.source}: {line}"


def _kind(opened: _Opened) -> Any:
    """What the pictures of a batch have in common; those that failed or are large are alone."""
    return opened.prepared.shape if opened.prepared is not None else object()


def batches(items: Iterable[T], size: int, key: Callable[[T], Any]) -> Iterator[list[T]]:
    """Yield neighbors that have the same key together, at most ``size`` of them."""
    batch: list[T] = []
    common: Any = None
    for item in items:
        own = key(item)
        if batch and (len(batch) == size or own != common):
            yield batch
            batch = []
        common = own
        batch.append(item)
    if batch:
        yield batch


def read_ahead(threads: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    """Yield ``function`` of each item in their order, computed in threads, ``ahead`` of them before their turn."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(threads.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name} is not there ({str(error).splitlines()[0]}); take cpu or auto") from None
    return device
