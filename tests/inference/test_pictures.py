import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from inference import DataError, list_pictures, read_picture, read_upright
from inference.pictures import as_rgb, to_picture
from pix2pix.data.images import as_tensor
from tests.pix2pix.pictures import write_picture


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_pixels_arrive_as_they_are(channels: int, mode: str, tmp_path: Path) -> None:
    pixels = write_picture(tmp_path / "a.png", 5, 3, mode)
    tensor = as_tensor(read_upright(tmp_path / "a.png"), channels)
    assert tensor.shape == (channels, 3, 5)
    assert tensor.dtype == torch.uint8
    assert np.array_equal(tensor.permute(1, 2, 0).numpy().reshape(pixels.shape), pixels)


def test_a_palette_becomes_its_colours(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "labels.png")
    assert as_tensor(read_upright(tmp_path / "labels.png"), 3)[:, 0].T.tolist() == [[255, 0, 0], [0, 0, 255]]


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    image, exif = Image.new("RGB", (4, 2)), Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read_upright(tmp_path / "a.jpg").size == (2, 4)


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
            read_upright(tmp_path / name)
        assert "\n" not in str(error.value)


def test_a_folder_gives_its_pictures_sorted(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "c.webp"):
        write_picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("")
    assert [file.name for file in list_pictures(tmp_path)] == ["a.jpg", "b.PNG", "c.webp"]


def test_missing_and_empty_folders_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: no such folder"):
        list_pictures(tmp_path / "absent")
    with pytest.raises(DataError, match=rf"{tmp_path.name}: no pictures in this folder \(.png .jpg .*; it is empty"):
        list_pictures(tmp_path)
    for name in ("a.gif", "b.gif", "notes"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"no pictures in this folder .*; it holds 2 x \.gif, 1 x no ending$"):
        list_pictures(tmp_path)


def write_png_of_16_bits(file: Path, channels: int) -> None:
    """Pillow writes none: RGB or RGBA, all values 4095."""
    rows = (b"\0" + np.full((4, channels), 4095, ">u2").tobytes()) * 3
    header = struct.pack(">IIBBBBB", 4, 3, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    whole = [struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in chunks]
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(whole))


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_png_of_16_bit_colors_is_refused(channels: int, tmp_path: Path) -> None:
    """Pillow opens it in 8 bits: 4095 of 65535 would become 15 of 255."""
    write_png_of_16_bits(tmp_path / "deep.png", channels)
    with pytest.raises(DataError, match=r"deep\.png: 16 bits a channel, which would be cut to 8 in mode (LA|RGBA?);"):
        read_picture(tmp_path / "deep.png")


TIFFS: dict[str, tuple[np.ndarray, dict[str, Any], str]] = {
    "16 bits": (
        np.full((3, 4, 3), 4095, np.uint16),
        {"photometric": "rgb"},
        "16 bits a channel, which would be cut to 8",
    ),
    "two": (np.zeros((3, 4, 2), np.uint8), {"planarconfig": "contig"}, "2 channels, of which only 1 would be used"),
    "rgb and two": (np.zeros((6, 4, 5), np.uint8), {"photometric": "rgb"}, "5 channels, of which only 3 would be used"),
    "five": (np.zeros((6, 4, 5), np.uint8), {"planarconfig": "contig"}, "a TIFF whose number of channels, depth or"),
    "pages": (np.zeros((6, 3, 4), np.uint8), {}, "6 pages or frames, of which only the first would be used"),
    "float": (np.zeros((3, 4, 3), np.float32), {"photometric": "rgb"}, "a TIFF whose number of channels, depth or"),
}


@pytest.mark.parametrize("kind", TIFFS)
def test_a_tiff_whose_numbers_would_be_lost_is_refused(kind: str, tmp_path: Path) -> None:
    pixels, options, message = TIFFS[kind]
    tifffile.imwrite(tmp_path / "a.tif", pixels, **{"photometric": "minisblack", **options})
    with pytest.raises(DataError, match=rf"a\.tif: {message}") as error:
        read_picture(tmp_path / "a.tif")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("pixels", "photometric"),
    [
        (np.arange(12, dtype=np.uint8).reshape(3, 4), "minisblack"),
        (np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000, "minisblack"),
        (np.arange(12, dtype=np.float32).reshape(3, 4) / 7, "minisblack"),
        (np.arange(36, dtype=np.uint8).reshape(3, 4, 3), "rgb"),
        (np.arange(48, dtype=np.uint8).reshape(3, 4, 4), "rgb"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.dtype}-{value.shape}",
)
def test_what_pillow_keeps_is_read(pixels: np.ndarray, photometric: str, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric)
    assert np.array_equal(np.array(read_picture(tmp_path / "a.tif")), pixels)


def test_an_animation_is_refused(tmp_path: Path) -> None:
    first, *rest = [Image.new("RGB", (4, 4), (100 * index, 0, 0)) for index in range(3)]
    first.save(tmp_path / "a.webp", save_all=True, append_images=rest)
    with pytest.raises(DataError, match="3 pages or frames"):
        read_picture(tmp_path / "a.webp")


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_a_tensor_becomes_a_picture_rounded(channels: int, mode: str) -> None:
    picture = to_picture(torch.tensor([-1, 0, 0.4999 / 255, 0.5001 / 255, 1, 2]).expand(channels, 1, 6))
    assert picture.mode == mode
    assert np.array(picture).reshape(6, channels)[:, 0].tolist() == [0, 0, 0, 1, 255, 255]


def test_every_channel_count_can_be_looked_at() -> None:
    assert torch.equal(as_rgb(torch.full((1, 2, 2), 0.3)), torch.full((3, 2, 2), 0.3))
    clear, half = torch.zeros(4, 1, 1), torch.tensor([1.0, 0.0, 0.0, 0.5]).reshape(4, 1, 1)
    assert as_rgb(clear).flatten().tolist() == [1, 1, 1]  # transparent is white
    assert as_rgb(half).flatten().tolist() == [1, 0.5, 0.5]


def test_an_error_keeps_its_line_when_a_worker_sends_it_home() -> None:
    """As torch's ExceptionWrapper makes it again: from its own text with a traceback around."""
    text = "Caught DataError in DataLoader worker process 0.\nOriginal Traceback:\n  File ...\n"
    again = DataError(f"{text}{DataError.__module__}.DataError: a.png: damaged\n")
    assert str(again) == "a.png: damaged"
    assert str(pickle.loads(pickle.dumps(again))) == "a.png: damaged"
