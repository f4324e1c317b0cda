"""Small files that claim, or unpack to, more than memory holds."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from inference import DataError, TooLargeError, open_picture
from inference.page.uploads import Limits, open_upload
from inference.pictures.bombs import UNPACKED
from losses.pretrained import read_state_dict
from multitask.data.files import read_array
from tests.inference.page.test_uploads import with_strip

GIANT = (10**6, 10**6)


@pytest.fixture
def _ten_thousand_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICTURE_MEGAPIXELS", "0.01")


@pytest.mark.parametrize("size", [0, 1, 2, 127, 128, 129, 1000])
def test_packed_bits_are_counted_without_unpacking_them(size: int) -> None:
    random = np.random.default_rng(size)
    encoded = bytes([int(random.integers(256)) if place % 3 else 128 for place in range(size)]) + bytes([255, 7])
    unpacked = UNPACKED[tifffile.COMPRESSION.PACKBITS](encoded + bytes(200), 10**9)
    assert abs(unpacked - len(packed_bits(encoded + bytes(200)))) <= 128  # the last run may go beyond the end
    assert UNPACKED[tifffile.COMPRESSION.PACKBITS](bytes([129, 0]) * 100, 500) == 512  # counted up to there


def packed_bits(encoded: bytes) -> bytes:
    """Unpack as the TIFF specification says it."""
    unpacked, place = bytearray(), 0
    while place < len(encoded):
        run = struct.unpack("b", encoded[place : place + 1])[0]
        if run >= 0:
            unpacked += encoded[place + 1 : place + 2 + run]
            place += run + 2
        elif run > -128:
            unpacked += encoded[place + 1 : place + 2] * (1 - run)
            place += 2
        else:
            place += 1
    return bytes(unpacked)


def test_a_strip_of_packed_bits_that_unpacks_to_more_is_refused_as_an_upload(tmp_path: Path) -> None:
    bomb = with_strip(tmp_path / "a.tif", bytes([129, 0]) * 1_000)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        tiff.pages[0].tags["Compression"].overwrite(tifffile.COMPRESSION.PACKBITS)  # type: ignore[union-attr]
    bomb = (tmp_path / "a.tif").read_bytes()
    with pytest.raises(DataError, match="unpacks to more than the picture holds"):
        open_upload(bomb, "auto", Limits())


@pytest.mark.usefixtures("_ten_thousand_pixels")
@pytest.mark.parametrize("planes", [False, True])
def test_a_strip_on_disk_is_looked_at_where_it_may_be_a_bomb(planes: bool, tmp_path: Path) -> None:
    """It may where it could unpack to more than the limit."""
    with_strip(tmp_path / "a.tif", zlib.compress(bytes(100_000_000)))
    picture = open_picture(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a\.tif: damaged, .* unpacks to more than the picture holds"):
        picture.read()
    honest = np.random.default_rng(0).integers(0, 256, (3, 50, 60), dtype=np.uint8)
    config = {"planarconfig": "separate", "photometric": "rgb"} if planes else {"planarconfig": None}
    tifffile.imwrite(tmp_path / "b.tif", honest if planes else honest[0], compression="zlib", **config)
    assert open_picture(tmp_path / "b.tif").read()[..., 0].tolist() == honest[0].tolist()


def test_no_more_is_decoded_at_once_than_the_environment_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((200, 100), np.uint8))
    monkeypatch.setenv("PICTURE_MEGAPIXELS", "0.01")
    picture = open_picture(tmp_path / "a.tif")
    message = r"a\.tif: 200 x 100 x 1, more than 0\.01 megapixels at once; cut it, or raise PICTURE_MEGAPIXELS of the"
    with pytest.raises(TooLargeError, match=message):
        picture.read()
    monkeypatch.setenv("PICTURE_MEGAPIXELS", "0.02")
    assert picture.read().shape == (200, 100, 1)
    monkeypatch.setenv("PICTURE_MEGAPIXELS", "many")
    with pytest.raises(DataError, match=r"^PICTURE_MEGAPIXELS must be a number above 0; got 'many'$"):
        picture.read()


def test_a_tiff_that_claims_a_trillion_pixels_is_refused_before_they_are_decoded(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 16), np.uint8), compression="zlib", rowsperstrip=16)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        for name in "ImageWidth", "ImageLength", "RowsPerStrip":
            tiff.pages[0].tags[name].overwrite(1_000_000)  # type: ignore[union-attr]
    with pytest.raises(TooLargeError, match=r"more than 1000 megapixels at once"):
        open_picture(tmp_path / "a.tif").read()


@pytest.mark.parametrize("big", [False, True])
def test_pages_that_lead_back_to_the_first_are_refused(big: bool, tmp_path: Path) -> None:
    """tifffile would follow them for ever."""
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 16, 16), np.uint8), photometric="minisblack", bigtiff=big)
    assert open_picture(tmp_path / "a.tif", axes="cyx").channels == 3
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        first, last, format = tiff.pages[0].offset, tiff.pages[2].offset, tiff.tiff
    body = bytearray((tmp_path / "a.tif").read_bytes())
    (tags,) = struct.unpack_from(format.tagnoformat, body, last)
    struct.pack_into(format.offsetformat, body, last + format.tagnosize + tags * format.tagsize, first)
    (tmp_path / "a.tif").write_bytes(body)
    with pytest.raises(DataError, match=r"a\.tif: damaged.*its pages have no end"):
        open_picture(tmp_path / "a.tif", axes="cyx")
    with pytest.raises(DataError, match="its pages have no end"):
        open_upload(bytes(body), "cyx", Limits())


def header_of(shape: tuple[int, ...], kind: str = "|u1") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize("ending", [".npy", ".NPY"])
def test_an_array_that_claims_more_than_there_is_is_damaged(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"a{ending}"
    file.write_bytes(header_of(GIANT) + bytes(100))
    with pytest.raises(DataError, match=r"a\.\w+: damaged"):
        open_picture(file).read()
    with pytest.raises(DataError, match=r"is no array of numpy's"):
        read_array(file, 1)


@pytest.mark.parametrize(("shape", "kind"), [(GIANT, "|u1"), ((100, 100), f"|S{2**31 - 1}")])
def test_an_archive_of_arrays_is_not_unpacked_beyond_the_limit(
    shape: tuple[int, ...], kind: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header_of(shape, kind) + bytes(1_000_000))
    with pytest.raises(TooLargeError, match=r"a\.npz: .* more than 1000 megapixels at once"):
        open_picture(tmp_path / "a.npz")


@pytest.mark.parametrize("format", ["png", "jpeg", "bmp"])
def test_pictures_that_claim_a_billion_pixels_are_not_decoded(format: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, format)
    body = bytearray(file.getvalue())
    if format == "png":
        body[16:24] = struct.pack(">II", 60_000, 60_000)
        body[29:33] = struct.pack(">I", zlib.crc32(body[12:29]))
    elif format == "jpeg":
        start = body.index(b"\xff\xc0") + 5
        body[start : start + 4] = struct.pack(">HH", 60_000, 60_000)
    else:
        body[18:26] = struct.pack("<ii", 60_000, 60_000)
    (tmp_path / f"a.{format}").write_bytes(body)
    with pytest.raises(TooLargeError, match=r"exceeds limit of 178956970 pixels.*; save it as TIFF"):
        open_picture(tmp_path / f"a.{format}")
    with pytest.raises(TooLargeError):
        open_upload(bytes(body), "auto", Limits())


def test_weights_whose_parts_are_compressed_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data/0", bytes(10_000_000))
    assert (tmp_path / "a.pth").stat().st_size < 20_000
    with pytest.raises(ValueError, match=r"a\.pth are not a file written by torch\.save: its parts are compressed"):
        read_state_dict(tmp_path / "a.pth")
