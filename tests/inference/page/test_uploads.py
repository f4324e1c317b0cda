import io
import struct
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from inference import DataError
from inference.page.uploads import Limits, TooManyBytesError, open_upload, read_upload
from inference.pictures.files import TooLargeError
from tests.inference.page.running import png


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The value of a coroutine that waits for nothing."""
    with pytest.raises(StopIteration) as stop:
        coroutine.send(None)
    return stop.value.value


async def parts(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size
        read.append(size)


read: list[int] = []


@pytest.fixture(autouse=True)
def _nothing_read() -> None:
    read.clear()


def test_no_more_is_read_than_is_allowed() -> None:
    assert finished(read_upload("10", parts(4, 6), 10)) == b"x" * 10
    read.clear()
    with pytest.raises(TooManyBytesError, match=r"more than 1e-05 MB; send a smaller file"):
        read_upload(None, parts(4, 6, 1, 1000), 10).send(None)
    assert read == [4, 6]  # and the rest was not waited for
    read.clear()
    with pytest.raises(TooManyBytesError):
        read_upload("11", parts(4), 10).send(None)
    assert read == []
    with pytest.raises(DataError, match="it is empty"):
        read_upload(None, parts(), 10).send(None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bytes": 0}, "limits.bytes must be at least 1; got 0"),
        ({"pixels": 0}, "limits.pixels must be at least 1; got 0"),
        ({"requests": 0}, "limits.requests must be at least 1; got 0"),
        ({"seconds": 0.0}, "limits.seconds must be above 0; got 0.0"),
    ],
)
def test_limits_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Limits(**options)


def tiff(array: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array)
    return file.getvalue()


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize("body", [png(GRAY[..., None]), tiff(GRAY), npy(GRAY)], ids=["png", "tiff", "npy"])
def test_pixels_are_counted_before_they_are_decoded(body: bytes) -> None:
    assert open_upload(body, "auto", Limits(pixels=12)).read()[..., 0].tolist() == GRAY.tolist()
    with pytest.raises(TooLargeError, match=r"the picture: 3 x 4.*, more than 1.1e-05 megapixels; make it smaller"):
        open_upload(body, "auto", Limits(pixels=11))
    with pytest.raises(TooLargeError):  # also without its pixels, which so were not looked for
        open_upload(body[:-12] if body[:2] == b"\x93N" else body, "auto", Limits(pixels=11))


def with_strip(file: Path, strip: bytes) -> bytes:
    """A TIFF of 100 x 100 zeros whose only strip is another."""
    tifffile.imwrite(file, np.zeros((100, 100), np.uint8), compression="zlib", rowsperstrip=100)
    start = file.stat().st_size
    with file.open("ab") as opened:
        opened.write(strip)
    with tifffile.TiffFile(file, mode="r+b") as tiff:
        tags = tiff.pages[0].tags  # type: ignore[union-attr]
        tags["StripOffsets"].overwrite(start)
        tags["StripByteCounts"].overwrite(len(strip))
    return file.read_bytes()


def test_a_strip_that_unpacks_to_more_than_the_picture_is_refused(tmp_path: Path) -> None:
    honest = with_strip(tmp_path / "a.tif", zlib.compress(bytes(range(100)) * 100))
    assert open_upload(honest, "auto", Limits()).read()[3, :5, 0].tolist() == [0, 1, 2, 3, 4]
    bomb = with_strip(tmp_path / "b.tif", zlib.compress(bytes(100_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="unpacks to more than the picture holds"):
            open_upload(bomb, "auto", Limits())
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("format", ["png", "tiff", "jpeg", "webp", "npy"])
def test_whatever_is_damaged_is_an_error_of_the_picture(format: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    file, random = io.BytesIO(), Random(0)
    if format == "npy":
        np.save(file, pixels)
    else:
        Image.fromarray(pixels).save(file, format)
    read = 0
    for _ in range(100):
        body = bytearray(file.getvalue())
        for _ in range(random.choice([1, 3, 10])):
            body[random.randrange(min(len(body), 300))] = random.randrange(256)
        with suppress(DataError):
            open_upload(bytes(body), "auto", Limits(pixels=100_000)).read()
            read += 1
    assert read < 100


def test_many_channels_count_as_pixels() -> None:
    body = tiff(np.zeros((2, 2, 9), np.float32))
    assert open_upload(body, "yxc", Limits(pixels=9)).channels == 9
    with pytest.raises(TooLargeError):
        open_upload(body, "yxc", Limits(pixels=8))


def test_an_array_that_claims_more_than_memory_holds_is_not_made() -> None:
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 10**6)}
    np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(TooLargeError):
        open_upload(file.getvalue(), "auto", Limits())


def test_a_picture_that_claims_a_billion_pixels_is_too_large() -> None:
    body = bytearray(png(GRAY[..., None]))
    body[16:24] = struct.pack(">II", 40_000, 40_000)
    body[29:33] = struct.pack(">I", zlib.crc32(body[12:29]))
    with pytest.raises(TooLargeError):
        open_upload(bytes(body), "auto", Limits())


@pytest.mark.parametrize("format", ["gif", "eps", "ppm"])
def test_formats_of_others_are_not_tried(format: str) -> None:
    """Pillow would start Ghostscript for EPS."""
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, format)
    with pytest.raises(DataError, match="the picture: not a picture in a format that can be read"):
        open_upload(file.getvalue(), "auto", Limits())
