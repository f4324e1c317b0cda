from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.data.images import DataError, as_tensor, list_images, open_image
from tests.pix2pix.pictures import write_picture


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_pixels_arrive_as_they_are(channels: int, mode: str, tmp_path: Path) -> None:
    pixels = write_picture(tmp_path / "a.png", 5, 3, mode)
    tensor = as_tensor(open_image(tmp_path / "a.png"), channels)
    assert tensor.shape == (channels, 3, 5)
    assert tensor.dtype == torch.uint8
    assert np.array_equal(tensor.permute(1, 2, 0).numpy().reshape(pixels.shape), pixels)


def test_a_palette_becomes_its_colours(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "labels.png")
    assert as_tensor(open_image(tmp_path / "labels.png"), 3)[:, 0].T.tolist() == [[255, 0, 0], [0, 0, 255]]


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    image, exif = Image.new("RGB", (4, 2)), Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    image.save(tmp_path / "a.jpg", exif=exif)
    assert open_image(tmp_path / "a.jpg").size == (2, 4)


def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    whole = tmp_path / "whole.png"
    write_picture(whole, 64, 64)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:3000])
    Image.fromarray(np.zeros((2, 2), np.uint16)).save(tmp_path / "deep.png")
    for name, message in {
        "text.png": "not a picture in a format that can be read",
        "cut.png": "damaged, remove or replace it",
        "deep.png": "more than 8 bits a channel",
        "absent.png": "no such file",
    }.items():
        with pytest.raises(DataError, match=f"{name}: {message}") as error:
            open_image(tmp_path / name)
        assert "\n" not in str(error.value)


def test_a_folder_gives_its_pictures_sorted(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "c.webp"):
        write_picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("")
    assert [file.name for file in list_images(tmp_path)] == ["a.jpg", "b.PNG", "c.webp"]


def test_missing_and_empty_folders_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: no such folder"):
        list_images(tmp_path / "absent")
    with pytest.raises(DataError, match=rf"{tmp_path.name}: no pictures in this folder \(of .png .jpg"):
        list_images(tmp_path)
