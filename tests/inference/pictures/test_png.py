import struct
import sys
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from inference import DataError, open_picture
from inference.pictures import png
from inference.pictures.png import COLOR_TYPES, SIGNATURE, decode_png, write_deep_png
from inference.pictures.tiff import ORIENTATION

NOISE = np.random.default_rng(0).integers(0, 256, (13, 11, 4), dtype=np.uint8)
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))  # of Adam7


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def saved(mode: str, **options: Any) -> bytes:
    """Return a PNG of noise, as Pillow writes it."""
    file = BytesIO()
    Image.fromarray(NOISE).convert(mode).save(file, "PNG", **options)
    return file.getvalue()


def interlaced() -> bytes:
    """Return a PNG of RGB whose pixels lie in the order of Adam7."""
    rows = b"".join(b"\0" + row.tobytes() for y, x, down, on in PASSES for row in NOISE[y::down, x::on, :3])
    header = struct.pack(">IIBBBBB", 11, 13, 8, 2, 0, 0, 1)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def by_libpng(encoded: bytes) -> NDArray[Any] | None:
    """Return what libpng decodes, if it does."""
    file = BytesIO(encoded)
    with Image.open(file) as image:
        assert isinstance(image, png.PngImageFile)
        return decode_png(file, image)


@pytest.fixture
def without_imagecodecs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    png._decoder.cache_clear()
    yield
    png._decoder.cache_clear()


@pytest.mark.parametrize("encoded", [*map(saved, ("L", "LA", "RGB", "RGBA")), interlaced()])
def test_libpng_gives_what_pillow_does(encoded: bytes) -> None:
    decoded = by_libpng(encoded)
    assert decoded is not None
    assert np.array_equal(decoded, np.asarray(Image.open(BytesIO(encoded))))
    assert np.array_equal(open_picture(BytesIO(encoded)).read().squeeze(), decoded)


TURNED = Image.Exif()
TURNED[ORIENTATION] = 6
XMP = PngInfo()
XMP.add_itxt("XML:com.adobe.xmp", '<rdf tiff:Orientation="6"/>', zip=True)


@pytest.mark.parametrize(
    ("encoded", "shape"),
    [
        (saved("1"), (13, 11, 1)),
        (saved("P"), (13, 11, 4)),
        (saved("RGB", transparency=(1, 2, 3)), (13, 11, 4)),
        (saved("L", transparency=7), (13, 11, 2)),
        (saved("RGB", exif=TURNED), (11, 13, 3)),
        (saved("RGB", pnginfo=XMP), (11, 13, 3)),
        (saved("RGB")[:-13] + b"?" + saved("RGB")[-12:], (13, 11, 3)),
    ],
    ids=["bits", "palette", "one color transparent", "one gray transparent", "EXIF", "XMP", "a wrong check sum"],
)
def test_what_pillow_alone_can_tell_is_left_to_it(encoded: bytes, shape: tuple[int, ...]) -> None:
    assert by_libpng(encoded) is None
    assert open_picture(BytesIO(encoded)).read().shape == shape


def test_exif_after_the_pixels_is_heeded() -> None:
    plain = saved("RGB")
    behind = plain[:-12] + chunk(b"eXIf", TURNED.tobytes()[6:]) + plain[-12:]
    assert np.array_equal(open_picture(BytesIO(behind)).read(), np.rot90(NOISE[..., :3], -1))


@pytest.mark.parametrize("place", [-30, -17, 50], ids=["its end is missing", "the sum of its pixels", "its data"])
def test_a_damaged_file_is_told_as_pillow_does(place: int, request: pytest.FixtureRequest) -> None:
    encoded = bytearray(saved("RGB"))
    encoded[place] ^= 255
    damaged = bytes(encoded[:place] if place == -30 else encoded)

    def message() -> str:
        with pytest.raises(DataError) as raised:
            open_picture(BytesIO(damaged), "a.png")
        return str(raised.value)

    first = message()
    assert first.startswith("a.png: damaged, remove or replace it (")
    request.getfixturevalue("without_imagecodecs")
    assert message() == first


def test_the_package_is_not_needed(without_imagecodecs: None) -> None:
    assert by_libpng(saved("RGB")) is None
    assert np.array_equal(open_picture(BytesIO(saved("RGB"))).read(), NOISE[..., :3])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_bit_of_16_is_kept(channels: int, tmp_path: Path) -> None:
    array = np.arange(65536, dtype=np.uint16).reshape(128, 512, 1).repeat(channels, 2) ^ np.arange(
        channels, dtype=np.uint16
    )
    write_deep_png(tmp_path / "a.png", array)
    assert np.array_equal(open_picture(tmp_path / "a.png").read(), array)


def test_filtered_rows_are_read(tmp_path: Path) -> None:
    """As other programs write them: each row the difference to the pixel on the left."""
    array = np.random.default_rng(0).integers(0, 65536, (4, 5, 3), dtype=np.uint16)
    write_deep_png(tmp_path / "a.png", array)
    plain = array.astype(">u2").reshape(4, -1).view(np.uint8)
    shifted = np.pad(plain, ((0, 0), (6, 0)))[:, :-6]
    rows = b"".join(b"\1" + row.tobytes() for row in plain - shifted)
    content = (tmp_path / "a.png").read_bytes()
    data = zlib.compress(rows)
    chunk = len(data).to_bytes(4, "big") + b"IDAT" + data + zlib.crc32(b"IDAT" + data).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(content[:33] + chunk + content[-12:])
    assert np.array_equal(open_picture(tmp_path / "a.png").read(), array)


def test_gray_with_transparency_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COLOR_TYPES, 2, 4)
    write_deep_png(tmp_path / "a.png", np.zeros((2, 2, 2), np.uint16))
    with pytest.raises(DataError, match=r"a\.png: gray of 16 bits with transparency; save it as TIFF"):
        open_picture(tmp_path / "a.png")
