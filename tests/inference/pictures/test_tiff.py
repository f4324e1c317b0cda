from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from inference import DataError, open_picture
from inference.pictures.tiff import write_tiff_parts
from inference.sizes import Box

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 65536, (50, 70, 3), dtype=np.uint16)
PAGES = RANDOM.integers(0, 65536, (5, 50, 70), dtype=np.uint16)
BOXES = (Box(0, 0, 50, 70), Box(0, 0, 1, 1), Box(15, 31, 2, 2), Box(3, 20, 40, 50), Box(49, 69, 1, 1))

STORED: dict[str, dict[str, Any]] = {
    "plain": {},
    "big-endian": {"byteorder": ">"},
    "one compressed strip": {"compression": "zlib", "predictor": False},
    "strips": {"compression": "zlib", "rowsperstrip": 13},
    "tiles": {"compression": "zlib", "tile": (16, 32)},
    "tiles as they are": {"tile": (16, 16)},
}


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("planes", [False, True])
def test_any_part_is_that_of_the_whole(stored: str, planes: bool, tmp_path: Path) -> None:
    array = RGB.transpose(2, 0, 1) if planes else RGB
    config = "separate" if planes else "contig"
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", planarconfig=config, **STORED[stored])
    picture = open_picture(tmp_path / "a.tif")
    assert (picture.size, picture.channels, picture.dtype) == ((50, 70), 3, np.uint16)
    for box in BOXES:
        rows, columns = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
        assert np.array_equal(picture.read(box), RGB[rows, columns])


@pytest.mark.parametrize("stored", STORED)
def test_pages_are_channels_if_that_is_said(stored: str, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PAGES, photometric="minisblack", **STORED[stored])
    with pytest.raises(DataError, match=r"a\.tif: 5 pages of 50 x 70; set axes to cyx if the first are channels"):
        open_picture(tmp_path / "a.tif")
    picture = open_picture(tmp_path / "a.tif", axes="cyx")
    for box in BOXES:
        rows, columns = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
        assert np.array_equal(picture.read(box), PAGES.transpose(1, 2, 0)[rows, columns])


@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}, {}])
def test_channels_that_the_file_names_need_no_option(options: dict[str, Any], tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PAGES, photometric="minisblack", metadata={"axes": "CYX"}, **options)
    assert np.array_equal(open_picture(tmp_path / "a.tif").read(), PAGES.transpose(1, 2, 0))


def test_only_the_tiles_that_are_needed_are_decoded(tmp_path: Path) -> None:
    """The others are destroyed, and nobody notices."""
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", tile=(16, 16), compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        offset, length = tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]  # type: ignore[union-attr]
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[offset : offset + length] = b"\0" * length
    (tmp_path / "a.tif").write_bytes(content)
    picture = open_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.read(Box(16, 0, 30, 70)), RGB[16:46])
    with pytest.raises(DataError, match=r"a\.tif: damaged, remove or replace it"):
        picture.read()


def test_white_that_is_stored_as_0_is_white(tmp_path: Path) -> None:
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    tifffile.imwrite(tmp_path / "a.tif", gray, photometric="miniswhite")
    assert np.array_equal(open_picture(tmp_path / "a.tif").read()[..., 0], 255 - gray)
    tifffile.imwrite(tmp_path / "b.tif", gray > 5, photometric="miniswhite")
    assert np.array_equal(open_picture(tmp_path / "b.tif").read()[..., 0], gray <= 5)


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate"])
def test_pillow_helps_where_tifffile_lacks_a_codec(compression: str, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (1, 2, 3)).save(tmp_path / "a.tif", compression=compression)
    assert open_picture(tmp_path / "a.tif").read()[29, 39].tolist() == [1, 2, 3]


def test_pillow_does_not_help_where_it_would_cut_16_bits_to_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", compression="zlib")
    codec = tifffile.TIFF.DECOMPRESSORS

    def missing(self: Any, key: int) -> Any:
        raise KeyError(f"{key} requires the 'imagecodecs' package")

    monkeypatch.setattr(type(codec), "__getitem__", missing)
    with pytest.raises(DataError, match=r"a\.tif: a TIFF compressed by ADOBE_DEFLATE.*: pip install imagecodecs"):
        open_picture(tmp_path / "a.tif")


def test_pictures_of_unlike_sizes_in_one_file_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(RGB, photometric="rgb", metadata=None)
        writer.write(RGB[:9, :9], photometric="rgb", metadata=None)
    with pytest.raises(DataError, match=r"a\.tif: 2 pictures of unlike kinds \(50 x 70 x 3, 9 x 9 x 3\)"):
        open_picture(tmp_path / "a.tif")
    tifffile.imwrite(
        tmp_path / "b.tif", np.zeros((2, 3, 8, 9), np.uint8), photometric="minisblack", metadata={"axes": "TZYX"}
    )
    with pytest.raises(DataError, match=r"b\.tif: 2 x 3 x 8 x 9 numbers along TZYX"):
        open_picture(tmp_path / "b.tif")


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0cut")
    with pytest.raises(DataError, match=r"a\.tif: damaged or not a TIFF"):
        open_picture(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", RGB, photometric="rgb", compression="zlib")
    (tmp_path / "b.tif").write_bytes((tmp_path / "b.tif").read_bytes()[:5000])
    with pytest.raises(DataError, match=r"b\.tif: damaged"):
        open_picture(tmp_path / "b.tif").read()


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("size", [(5, 7), (512, 513), (1100, 700), (1024, 1)])
def test_a_picture_is_written_in_parts(size: tuple[int, int], channels: int, tmp_path: Path) -> None:
    """Of heights that have nothing to do with the file's tiles."""
    array = RANDOM.random((*size, channels)).astype(np.float32)
    height, width = size

    def parts() -> Iterator[tuple[Box, np.ndarray]]:
        for top in range(0, height, 300):
            for left in range(0, width, 400):
                part = array[top : top + 300, left : left + 400]
                yield Box(top, left, *part.shape[:2]), part

    write_tiff_parts(tmp_path / "a.tif", parts(), (height, width, channels), array.dtype)
    assert np.array_equal(open_picture(tmp_path / "a.tif").read(), array)
