from pathlib import Path

import numpy as np
import pytest

from inference import DataError, Picture, write_picture
from inference.gallery.columns import drawn, read_columns
from inference.pictures import Array


def write(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_picture(file, np.zeros((4, 4, 1), np.uint8))


def test_subfolders_belong_together_by_name_whatever_the_endings(tmp_path: Path) -> None:
    files = ("input/b.png", "input/sub/a.png", "output/b.jpg", "output/sub/a.png", "target/b.png", "other/c.png")
    write(*(tmp_path / file for file in files))
    found = read_columns(tmp_path, tmp_path / "gallery")
    assert found == {
        "b": {"input": tmp_path / files[0], "output": tmp_path / files[2], "target": tmp_path / files[4]},
        "sub/a": {"input": tmp_path / files[1], "output": tmp_path / files[3]},
    }


def test_any_other_folder_is_one_column_without_the_gallery_in_it(tmp_path: Path) -> None:
    write(tmp_path / "b.png", tmp_path / "sub" / "a.png", tmp_path / "gallery" / "difference" / "b.png")
    found = read_columns(tmp_path, tmp_path / "gallery")
    assert found == {"b": {"picture": tmp_path / "b.png"}, "sub/a": {"picture": tmp_path / "sub" / "a.png"}}


def test_a_folder_without_pictures_is_said(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    with pytest.raises(DataError, match="output: no pictures in or below this folder"):
        read_columns(tmp_path, tmp_path / "gallery")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0, 255]], np.uint8), [0, 255]),
        (np.array([[0, 65535, 32768]], np.uint16), [0, 255, 128]),
        (np.array([[-32768, 32767]], np.int16), [0, 255]),
        (np.array([[False, True]]), [0, 255]),
        (np.array([[-3.0, 1.0, np.nan, -1.0]], np.float32), [0, 255, 0, 128]),
        (np.array([[7.0, 7.0]], np.float32), [0, 0]),
        (np.array([[np.nan]], np.float32), [0]),
    ],
)
def test_pictures_of_any_depth_are_drawn_in_8_bits(array: Array, expected: list[int]) -> None:
    picture = np.array(drawn(Picture.of(array)))
    assert picture.shape == (*array.shape, 3)
    assert picture[0, :, 0].tolist() == expected
