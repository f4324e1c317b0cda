"""The gallery of folders, and the difference; that of runs is in tests/training/test_gallery.py."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inference import DataError, write_picture
from inference.pictures import heat
from pix2pix.__main__ import main
from pix2pix.gallery import draw_difference, gallery_of_folder
from pix2pix.picture_metrics import measure_pictures
from tests.training.programs import PIX2PIX
from tests.training.test_gallery import data_in, rows


def write(file: Path, value: int, dtype: str = "uint8", size: tuple[int, int] = (16, 12), channels: int = 3) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_picture(file, np.full((*size, channels), value, np.dtype(dtype)))


def test_output_and_target_of_a_folder_are_measured_in_the_range_of_their_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for column, value in (("input", 0), ("output", 51), ("target", 102)):
        write(tmp_path / column / "a.png", value)
    write(tmp_path / "output" / "deep.tif", 13107, "uint16", channels=1)
    write(tmp_path / "target" / "deep.png", 0, "uint16", channels=1)
    write(tmp_path / "output" / "alone.png", 51)
    main(["gallery", str(tmp_path)])
    page = tmp_path / "gallery" / "index.html"
    assert capsys.readouterr().out == f"gallery: {page}\n"
    alone, deep = rows(page.parent / "pictures.csv")[1:]
    first = rows(page.parent / "pictures.csv")[0]
    assert [row["name"] for row in (first, alone, deep)] == ["a", "alone", "deep"]
    assert (float(first["l1"]), float(first["mae_units"])) == (pytest.approx(0.2), pytest.approx(51))
    assert (float(deep["l1"]), float(deep["mae_units"])) == (pytest.approx(0.2), pytest.approx(13107))
    assert set(alone.values()) == {"alone", ""}
    found = data_in(page)
    assert [column["name"] for column in found["columns"]] == ["input", "output", "target", "difference"]
    links = {item["name"]: [picture and picture[1] for picture in item["pictures"]] for item in found["items"]}
    assert links["a"] == ["../input/a.png", "../output/a.png", "../target/a.png", "difference/a.png"]
    assert links["deep"] == [
        None,
        "output/deep.png",
        "../target/deep.png",
        "difference/deep.png",
    ]  # TIFF: not in browsers
    assert links["alone"] == [None, "../output/alone.png", None, None]


def test_any_folder_is_shown_without_metrics(tmp_path: Path) -> None:
    for name in "a.png", "sub/b.png":
        write(tmp_path / name, 7)
    write(tmp_path / "c.tif", 3, "float32", channels=1)
    found = data_in(gallery_of_folder(tmp_path, tmp_path / "gallery"))
    assert [item["name"] for item in found["items"]] == ["a", "c", "sub/b"]
    assert (found["metrics"], found["lines"]) == ([], [[0]])
    assert {file.name for file in (tmp_path / "gallery").iterdir()} == {"index.html", "picture"}
    again = data_in(gallery_of_folder(tmp_path, tmp_path / "gallery", overwrite=True))
    assert len(again["items"]) == 3  # not those of the gallery


def test_floating_point_has_no_range_to_measure_in(tmp_path: Path) -> None:
    for column in "output", "target":
        write(tmp_path / column / "a.tif", 1, "float32")
    assert data_in(gallery_of_folder(tmp_path, tmp_path / "gallery"))["metrics"] == []


def test_what_goes_wrong_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "output" / "a.png", 1)
    write(tmp_path / "target" / "a.png", 1, size=(16, 13))
    said, code = PIX2PIX.fails(capsys, "gallery", str(tmp_path))
    assert ("output/a.png: 12 x 16 pixels, not the same 13 x 16 as" in said, code) == (True, 1)
    for option in "root", "split":
        said, code = PIX2PIX.fails(capsys, "gallery", str(tmp_path), f"--{option}", "val")
        assert (f"{option} is an option for runs" in said, code) == (True, 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in or below this folder"):
        gallery_of_folder(tmp_path / "empty", tmp_path / "out")


def test_the_difference_is_drawn_by_its_scale() -> None:
    target = torch.zeros(1, 3, 1, 3)
    output = target.clone()
    output[0, 0, 0] = torch.tensor([0.0, 0.75, 1.0])  # halved, and a third of the mean of three channels
    expected = heat(torch.tensor([[[0.0, 0.5, 2 / 3]]]))
    assert torch.allclose(draw_difference(output, target), expected, atol=1e-6)
    known = torch.tensor([True, True, False]).view(1, 1, 1, 3)
    assert torch.equal(draw_difference(output, target, known)[..., 2], heat(torch.zeros(1, 1, 1))[..., 0])


def test_the_metrics_are_those_of_the_pictures_on_the_page(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = {column: random.integers(0, 256, (16, 16, 3), dtype=np.uint8) for column in ("output", "target")}
    for column, array in arrays.items():
        (tmp_path / column).mkdir()
        Image.fromarray(array).save(tmp_path / column / "a.png")
    gallery_of_folder(tmp_path, tmp_path / "gallery")
    output, target = (torch.from_numpy(array).movedim(-1, 0)[None] / 127.5 - 1 for array in arrays.values())
    (row,) = rows(tmp_path / "gallery" / "pictures.csv")
    for name, value in measure_pictures(output, target).items():
        assert float(row[name]) == pytest.approx(value.item(), rel=1e-5)
