"""Work through files: pictures are read ahead and results written behind, in threads, while the network runs."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor
from tqdm import tqdm

from inference.files import Job, check_targets
from inference.pictures import DataError, Picture

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


class Steps(Protocol):
    """What is done with a picture, by a :class:`inference.predictor.Predictor`."""

    batch_size: int

    def open(self, file: Path) -> Picture:
        """Open a picture."""

    def targets(self, job: Job, picture: Picture) -> list[Path]:
        """Return the files of its result."""

    def is_large(self, picture: Picture) -> bool:
        """Return whether it goes in parts."""

    def prepare(self, picture: Picture) -> Tensor:
        """Read it for the network."""

    def run_batch(self, pictures: Sequence[Picture], prepared: Sequence[Tensor]) -> list[Any]:
        """Return the results of pictures of one size."""

    def write(self, job: Job, picture: Picture, result: Any) -> None:
        """Write a result."""

    def write_large(self, job: Job, picture: Picture, progress: Progress) -> None:
        """Write the result of one that goes in parts."""

    def notes(self) -> list[str]:
        """Return what there is to say at the end."""


class _Opened(NamedTuple):
    """A picture on its way: opened, and prepared unless it is large; or the error that ended it."""

    job: Job
    picture: Picture | None = None
    prepared: Tensor | None = None
    error: str | None = None


class Pipeline:
    """Work through pictures once.

    Args:
        predictor: what is done with them.
        overwrite: whether results that exist are replaced.
    """

    def __init__(self, predictor: Steps, overwrite: bool) -> None:
        self.predictor = predictor
        self.overwrite = overwrite
        self.failed: list[str] = []
        self.written = self.pixels = 0

    def run(self, found: list[Job]) -> Report:
        """Read the pictures, run the predictor, and write the results."""
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
            pictures = [each.picture for each in group if each.picture is not None]
            tensors = [each.prepared for each in group if each.prepared is not None]
            results = self.predictor.run_batch(pictures, tensors)
            for each, picture, result in zip(group, pictures, results, strict=True):
                yield each, partial(self.predictor.write, each.job, picture, result)

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
