"""The one thread in which a predictor runs: pictures of one size that wait run together."""

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from torch import Tensor

from inference.pictures import Picture
from inference.predictor import WHOLE, Predictor


class Stopped(Exception):
    """The worker ended before the picture had its turn."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A picture in the queue; one without a tensor is large, and runs alone."""

    picture: Picture
    prepared: Tensor | None
    result: Future[Any] = field(default_factory=Future)


class Worker:
    """Runs a predictor on pictures that come from other threads; a context manager, at whose end it stops.

    The picture that has waited longest is next, and with it go those of its size, up to the predictor's ``batch_size``.

    Args:
        predictor: is used in no other thread but to open and prepare pictures.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.done = 0
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="predictor", daemon=True)

    def __enter__(self) -> Self:
        # A predictor that meets its first large picture measures its network, which must not happen beside a run.
        self.predictor.is_large(Picture.of(np.zeros((1, WHOLE + 1), np.uint8)))
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        self._thread.join()

    def stop(self) -> None:
        """Run no more pictures: cancel those that wait; a large one that runs ends with its next part."""
        with self._changed:
            self._stopping = True
            for each in self._queue:
                each.result.cancel()
            self._queue.clear()
            self._changed.notify()

    def submit(self, picture: Picture, prepared: Tensor | None) -> Future[Any]:
        """Put a picture into the queue.

        Args:
            picture: it.
            prepared: what the predictor's ``prepare`` returned; None if the picture is large.

        Returns:
            Its result, or the error that it ended with. A picture whose future is cancelled leaves the queue.
        """
        waiting = _Waiting(picture, prepared)
        with self._changed:
            if self._stopping:
                waiting.result.cancel()
            else:
                self._queue.append(waiting)
                self._changed.notify()
        return waiting.result

    def _work(self) -> None:
        while self._work_once():
            for note in self.predictor.notes():
                print(note)

    def _work_once(self) -> bool:
        """Run the next pictures; return whether there were any."""
        group = self._next()
        try:
            results = self._run(group) if group else []
        except Exception as error:  # whatever it is, it belongs to these pictures, and others wait
            for each in group:
                each.result.set_exception(error)
        else:
            self.done += len(group)
            for each, result in zip(group, results, strict=True):
                each.result.set_result(result)
        return bool(group)

    def _next(self) -> list[_Waiting]:
        """Wait for pictures, and take those that run together out of the queue; none at the end."""
        with self._changed:
            while not self._stopping:
                waiting = [each for each in self._queue if not each.result.cancelled()]
                group = _together(waiting, self.predictor.batch_size)
                self._queue = deque(each for each in waiting if each not in group)
                if group := [each for each in group if each.result.set_running_or_notify_cancel()]:
                    return group
                if not self._queue:
                    self._changed.wait()
            return []

    def _run(self, group: list[_Waiting]) -> list[Any]:
        tensors = [each.prepared for each in group if each.prepared is not None]
        if tensors:
            return self.predictor.run_batch([each.picture for each in group], tensors)
        return [self.predictor.run_large(group[0].picture, self._progress)]

    def _progress(self, done: int, parts: int) -> None:
        """End a large picture early, when the worker stops."""
        if self._stopping:
            raise Stopped("the server is stopping")


def _together(waiting: list[_Waiting], most: int) -> list[_Waiting]:
    """Return the first picture, and those that can run with it."""
    if not waiting or waiting[0].prepared is None:
        return waiting[:1]
    shape = waiting[0].prepared.shape
    return [each for each in waiting if each.prepared is not None and each.prepared.shape == shape][:most]
