import threading
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest
from torch import Tensor

from inference import Picture
from inference.page.worker import Stopped, Worker
from inference.pictures import Array
from inference.pipeline import Progress
from tests.inference.page.running import HeldInverter
from tests.inference.test_predictor import Inverter, gray


def submit(worker: Worker, array: Array) -> Future[Any]:
    picture, predictor = Picture.of(array), worker.predictor
    return worker.submit(picture, None if predictor.is_large(picture) else predictor.prepare(picture))


def test_pictures_of_one_size_that_wait_run_together() -> None:
    inverter = HeldInverter(batch_size=3)
    with Worker(inverter) as worker:
        results = [submit(worker, gray(1, 1))]
        inverter.begun.wait()
        widths = [4, 5, 4, 4, 200, 4, 5]
        results += [submit(worker, gray(2, width, value=index)) for index, width in enumerate(widths)]
        inverter.may_run.set()
        found = [result.result(60) for result in results[1:]]
    assert inverter.batches == [1, 3, 2, 1]  # the first; three of 4 columns; both of 5; the last of 4
    assert [array.shape[1] for array in found] == widths
    assert [int(array[0, 0, 0]) for array in found] == [255 - index for index in range(7)]
    assert worker.done == 8


def test_a_picture_that_nobody_waits_for_is_not_run() -> None:
    inverter = HeldInverter()
    with Worker(inverter) as worker:
        first = submit(worker, gray(1, 1))
        inverter.begun.wait()
        unwanted, wanted = submit(worker, gray(2, 2)), submit(worker, gray(2, 2))
        assert unwanted.cancel()
        assert not first.cancel()  # it was begun
        inverter.may_run.set()
        wanted.result(60)
    assert inverter.batches == [1, 1]


def test_an_error_is_that_of_its_pictures_alone() -> None:
    class Failing(Inverter):
        def run(self, pictures: Tensor) -> Tensor:
            if pictures.shape[-1] == 3:
                raise RuntimeError("out of memory")
            return super().run(pictures)

    with Worker(Failing()) as worker:
        failed, after = submit(worker, gray(2, 3)), submit(worker, gray(2, 4))
        with pytest.raises(RuntimeError, match="out of memory"):
            failed.result(60)
        assert after.result(60)[0, 0, 0] == 255
        assert worker.done == 1


def test_at_the_end_what_waits_is_cancelled_and_what_is_large_ends_early() -> None:
    class Endless(Inverter):
        def run_large(self, picture: Picture, progress: Progress) -> Array:
            begun.set()
            while True:
                progress(0, 1)

    begun = threading.Event()
    with Worker(Endless()) as worker:
        large, waits = submit(worker, gray(1, 200)), submit(worker, gray(1, 1))
        begun.wait()
    with pytest.raises(Stopped):
        large.result(60)
    for late in waits, submit(worker, gray(1, 1)):
        with pytest.raises(CancelledError):
            late.result(60)


def test_notes_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    class Noting(Inverter):
        def notes(self) -> list[str]:
            return [f"{len(self.batches)} batches"]

    with Worker(Noting()) as worker:
        submit(worker, gray(1, 1)).result(60)
    assert capsys.readouterr().out == "1 batches\n"
