"""The road itself, with a network that inverts."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inference import DataError, Picture, open_picture, write_picture
from inference.export import Graph
from inference.files import Job
from inference.geometry import Geometry
from inference.pictures import Array
from inference.pipeline import Progress, Report, batches, read_ahead
from inference.predictor import Predictor


class Inverter(Predictor):
    """Pictures of more than 100 columns are large."""

    def __init__(self, **options: Any) -> None:
        plain: dict[str, Any] = {"device": "cpu", "precision": "32", "batch_size": 3}
        super().__init__(nn.Identity(), **(plain | options))
        self.batches: list[int] = []

    @property
    def geometry(self) -> Geometry:
        return Geometry(stride=1, least=1, margin=0, norms=0, memory=1)

    def graph(self) -> Graph:
        return Graph(self.network, channels=1, stride=1, least=1, outputs=("output",))

    def prepare(self, picture: Picture) -> Tensor:
        return torch.from_numpy(picture.read()).movedim(-1, 0)

    def run(self, pictures: Tensor) -> Tensor:
        self.batches.append(len(pictures))
        return 255 - pictures

    def finish(self, outputs: Tensor, index: int, picture: Picture, prepared: Tensor) -> Array:
        return outputs[index].movedim(0, -1).numpy()

    def is_large(self, picture: Picture) -> bool:
        return picture.width > 100

    def run_large(self, picture: Picture, progress: Progress) -> Array:
        progress(1, 1)
        return 255 - picture.read()

    def targets(self, job: Job, picture: Picture) -> list[Path]:
        return [job.stem.with_name(f"{job.stem.name}.png")]

    def write(self, job: Job, picture: Picture, result: Array) -> None:
        write_picture(self.targets(job, picture)[0], result)


def gray(*size: int, value: int = 0) -> Array:
    return np.full((*size, 1), value, np.uint8)


def test_results_come_in_order_whatever_is_run_together() -> None:
    inverter = Inverter()
    widths = [4, 4, 4, 4, 5, 200, 4]
    found = list(inverter.results([Picture.of(gray(3, width, value=i)) for i, width in enumerate(widths)]))
    assert [array.shape[1] for array in found] == widths
    assert [int(array[0, 0, 0]) for array in found] == [255 - i for i in range(7)]
    assert inverter.batches == [3, 1, 1, 1]


def test_a_folder_is_worked_through_and_what_fails_is_named(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    (source / "sub").mkdir(parents=True)
    for index in range(7):
        write_picture(source / f"{index}.png", gray(3, 4, value=index))
    write_picture(source / "sub" / "large.png", gray(3, 200))
    (source / "3.png").write_text("no picture")
    out.mkdir()
    write_picture(out / "5.png", gray(1, 1, value=77))
    report = Inverter().predict_files([source], out)
    assert report.written == 6
    assert [line.split(":")[0].removeprefix(f"{tmp_path}/") for line in report.failed] == ["in/3.png", "in/5.png"]
    assert "exists already" in report.failed[1]
    assert open_picture(out / "0.png").read().tolist() == gray(3, 4, value=255).tolist()
    assert open_picture(out / "5.png").read().tolist() == [[[77]]]
    assert open_picture(out / "sub" / "large.png").read()[0, 0, 0] == 255
    assert report.notes[0].startswith("6 pictures of 0.0 megapixels in ")
    again = Inverter().predict_files([source], out, overwrite=True)
    assert (again.written, len(again.failed)) == (7, 1)


def test_a_result_that_cannot_be_written_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    for index in range(3):
        write_picture(tmp_path / "in" / f"{index}.png", gray(2, 2))
    write = Inverter.write

    def full_disk(self: Inverter, job: Job, picture: Picture, result: Array) -> None:
        if job.source.name == "1.png":
            raise OSError("no space left on device")
        write(self, job, picture, result)

    monkeypatch.setattr(Inverter, "write", full_disk)
    report = Inverter().predict_files([tmp_path / "in"], tmp_path / "out")
    assert report.written == 2
    assert report.failed == [f"{tmp_path}/in/1.png: no space left on device"]


def test_bf16_is_autocast() -> None:
    with Inverter(precision="bf16").autocast:
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with Inverter().autocast:
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        ({"tile": 0}, "tile must be at least 1; got 0"),
        ({"device": "nonsense"}, "device nonsense is not there"),
        ({"device": "xpu"}, "device xpu is not there .*; take cpu or auto"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Inverter(**options)


def test_neighbors_of_one_kind_are_a_batch() -> None:
    assert list(batches([1, 1, 1, 2, 1], 2, lambda each: each)) == [[1, 1], [1], [2], [1]]
    assert list(batches([], 2, lambda each: each)) == []


def test_no_more_is_read_ahead_than_asked_for() -> None:
    taken: list[int] = []

    def items() -> Any:
        for index in range(10):
            taken.append(index)
            yield index

    with ThreadPoolExecutor(2) as threads:
        results = read_ahead(threads, lambda each: (each, threading.current_thread().name), items(), 3)
        first = next(results)
        assert first[0] == 0
        assert first[1] != threading.current_thread().name
        assert taken == [0, 1, 2, 3]
        assert [each for each, _ in results] == list(range(1, 10))


def test_a_report_tells_everything_and_ends_in_an_error_if_something_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Report(2, [], ["quick"]).tell("inverted")
    with pytest.raises(DataError, match="1 of 3 pictures could not be inverted, named above"):
        Report(2, ["a.png: damaged"], ["quick"]).tell("inverted")
    assert capsys.readouterr().out.splitlines() == ["quick", "quick", "failed: a.png: damaged"]


def test_what_is_around_the_work_is_left_also_after_an_error(tmp_path: Path) -> None:
    said: list[str] = []

    class Watched(Inverter):
        @contextmanager
        def around(self, found: Sequence[Job], overwrite: bool) -> Iterator[None]:
            said.append(f"{len(found)} {overwrite}")
            try:
                yield
            finally:
                said.append(f"after {len(self.batches)}")

        def finish(self, outputs: Tensor, index: int, picture: Picture, prepared: Tensor) -> Array:
            raise RuntimeError("a bug")

    write_picture(tmp_path / "a.png", gray(2, 2))
    with pytest.raises(RuntimeError, match="a bug"):
        Watched().predict_files([tmp_path / "a.png"], tmp_path / "out", overwrite=True)
    assert said == ["1 True", "after 1"]


def test_a_picture_is_taken_in_every_form(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", gray(2, 3, value=5))
    for value in tmp_path / "a.png", str(tmp_path / "a.png"), gray(2, 3, value=5), torch.full((1, 2, 3), 5).byte():
        assert np.array_equal(Inverter().picture_of(value).read(), gray(2, 3, value=5))
