import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from inference import DataError, list_pictures, open_picture, write_picture
from inference.pictures.files import ending_for
from inference.sizes import Box
from tests.pix2pix.pictures import write_picture as write_random

DTYPES = ("bool", "uint8", "uint16", "int16", "float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@given(
    st.sampled_from([".png", ".webp", ".bmp", ".tif", ".npy"]),
    st.sampled_from(DTYPES),
    st.integers(1, 9),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.data(),
)
def test_what_is_written_is_read_as_it_was(
    folder: Path, ending: str, dtype: str, channels: int, size: tuple[int, int], data: st.DataObject
) -> None:
    """Every format keeps a picture, or refuses it by name; the one that it names keeps it."""
    array = data.draw(arrays(dtype, (*size, channels)))
    file = folder / f"a{ending}"
    try:
        write_picture(file, array)
    except DataError as refused:
        assert ending in (".png", ".webp", ".bmp", ".tif")
        assert f"does not hold {channels} x {dtype}; take {ending_for(array.dtype, channels)}" in str(refused)
        file = file.with_suffix(ending_for(array.dtype, channels))
        write_picture(file, array)
    picture = open_picture(file, axes="yxc")
    assert (*picture.size, picture.channels) == array.shape
    assert picture.dtype == array.dtype
    assert np.array_equal(picture.read(), array, equal_nan=dtype == "float32")
    part = Box(size[0] // 3, size[1] // 3, (size[0] + 1) // 2, (size[1] + 1) // 2)
    rows, columns = (slice(start, start + length) for start, length in ((part[0], part[2]), (part[1], part[3])))
    assert np.array_equal(picture.part(part).read(), array[rows, columns], equal_nan=dtype == "float32")


def test_a_12_bit_ramp_keeps_every_step(tmp_path: Path) -> None:
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64, 1).repeat(3, 2)
    for ending in (".png", ".tif", ".npy"):
        write_picture(tmp_path / f"ramp{ending}", ramp)
        assert np.array_equal(open_picture(tmp_path / f"ramp{ending}").read(), ramp)


def test_a_jpeg_has_the_colors_of_pillow(tmp_path: Path) -> None:
    write_random(tmp_path / "a.jpg", 20, 10)
    with Image.open(tmp_path / "a.jpg") as image:
        assert np.array_equal(open_picture(tmp_path / "a.jpg").read(), np.array(image))


def test_a_palette_becomes_its_colors_and_keeps_its_indices(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    for name, options in ("a.png", {}), ("b.tif", {}), ("clear.png", {"transparency": 1}):
        image.save(tmp_path / name, **options)
        picture = open_picture(tmp_path / name)
        assert picture.read()[0, :, :3].tolist() == [[255, 0, 0], [0, 0, 255]]
        assert picture.labels().read().flatten().tolist() == [0, 1]
    assert picture.read()[0, :, 3].tolist() == [255, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_a_photograph_is_turned_upright(name: str, orientation: int, tmp_path: Path) -> None:
    """As Pillow turns it, whole and in part."""
    from PIL import ImageOps

    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / name, exif=exif)
    with Image.open(tmp_path / name) as image:
        theirs = np.array(ImageOps.exif_transpose(image))
    picture = open_picture(tmp_path / name)
    assert picture.size == theirs.shape[:2]
    assert np.array_equal(picture.read(), theirs)
    assert np.array_equal(picture.read(Box(1, 2, 3, 4)), theirs[1:4, 2:6])


@pytest.mark.parametrize(
    ("mode", "channels", "dtype"),
    [("1", 1, "bool"), ("L", 1, "uint8"), ("LA", 2, "uint8"), ("RGB", 3, "uint8"), ("RGBA", 4, "uint8")],
)
def test_every_mode_of_pillow_keeps_its_channels(mode: str, channels: int, dtype: str, tmp_path: Path) -> None:
    Image.new(mode, (3, 2)).save(tmp_path / "a.png")
    picture = open_picture(tmp_path / "a.png")
    assert (picture.size, picture.channels, picture.dtype.name) == ((2, 3), channels, dtype)


def test_a_color_that_is_declared_transparent_becomes_an_alpha(tmp_path: Path) -> None:
    Image.new("RGB", (2, 1), (9, 8, 7)).save(tmp_path / "a.png", transparency=(9, 8, 7))
    assert open_picture(tmp_path / "a.png").read()[0, 0].tolist() == [9, 8, 7, 0]


def test_cmyk_is_refused(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.tif"):
        Image.new("CMYK", (2, 2)).save(tmp_path / name)
        with pytest.raises(DataError, match=r"a\.\w+: colors in (CMYK|SEPARATED); convert it to RGB first"):
            open_picture(tmp_path / name)


def test_an_animation_is_refused(tmp_path: Path) -> None:
    first, *rest = [Image.new("RGB", (4, 4), (100 * index, 0, 0)) for index in range(3)]
    for name in ("a.webp", "a.png"):
        first.save(tmp_path / name, save_all=True, append_images=rest)
        with pytest.raises(DataError, match="3 frames; save each as a file of its own"):
            open_picture(tmp_path / name)


def test_a_bomb_is_refused_by_its_size(tmp_path: Path) -> None:
    """A file of a few bytes that says that it holds a billion pixels."""
    Image.new("L", (1, 1)).save(tmp_path / "bomb.png")
    encoded = bytearray((tmp_path / "bomb.png").read_bytes())
    encoded[16:24] = struct.pack(">II", 40_000, 40_000)
    encoded[29:33] = struct.pack(">I", zlib.crc32(encoded[12:29]))
    (tmp_path / "bomb.png").write_bytes(encoded)
    with pytest.raises(DataError, match=r"bomb\.png: .*1600000000 pixels.*; save it as TIFF if that is what it is"):
        open_picture(tmp_path / "bomb.png")


def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    whole = tmp_path / "whole.png"
    write_random(whole, 64, 64)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:3000])
    deep = np.random.default_rng(0).integers(0, 4096, (9, 9, 3), dtype=np.uint16)
    for ending in (".png", ".npy"):
        write_picture(tmp_path / f"whole{ending}", deep)
        (tmp_path / f"deep{ending}").write_bytes((tmp_path / f"whole{ending}").read_bytes()[:200])
    np.savez(tmp_path / "two.npz", a=deep, b=deep)
    np.save(tmp_path / "double.npy", deep.astype(np.float64))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    for name, message in {
        "text.png": "not a picture in a format that can be read",
        "empty.png": "not a picture in a format that can be read",
        "cut.png": "damaged, remove or replace it",
        "deep.png": "damaged, remove or replace it",
        "deep.npy": "damaged, remove or replace it",
        "absent.png": "no such file",
        "two.npz": "2 arrays; save each as a file of its own",
        "double.npy": "numbers of type float64; save it as one of bool, uint8, uint16, int16, float32",
        "objects.npy": "damaged, remove or replace it",
    }.items():
        with pytest.raises(DataError, match=f"{name}: {message}") as error:
            open_picture(tmp_path / name)
        assert "\n" not in str(error.value)


def test_the_axes_of_an_array_are_not_guessed(tmp_path: Path) -> None:
    array = np.arange(5 * 7 * 8, dtype=np.uint16).reshape(5, 7, 8)
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=r"a\.npy: an array of 5 x 7 x 8; set axes to cyx if the first are channels"):
        open_picture(tmp_path / "a.npy")
    assert np.array_equal(open_picture(tmp_path / "a.npy", axes="cyx").read(), array.transpose(1, 2, 0))
    assert np.array_equal(open_picture(tmp_path / "a.npy", axes="yxc").read(), array)
    np.save(tmp_path / "last.npy", array.transpose(1, 2, 0))
    assert np.array_equal(open_picture(tmp_path / "last.npy").read(), array.transpose(1, 2, 0))
    np.savez(tmp_path / "flat.npz", array[0])
    assert np.array_equal(open_picture(tmp_path / "flat.npz").read(), array[0][..., None])


def test_an_array_is_mapped_and_not_read(tmp_path: Path) -> None:
    """A file that says it has 300 GB: what is not asked for is never touched."""
    np.save(tmp_path / "a.npy", np.zeros((1, 1), np.uint16))
    header = (tmp_path / "a.npy").read_bytes()[:128].replace(b"(1, 1), }      ", b"(400000, 400000)")
    with (tmp_path / "large.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<u2", "fortran_order": False, "shape": (400_000, 400_000)}
        )
        file.truncate(len(header) + 2 * 400_000**2)
    assert open_picture(tmp_path / "large.npy").read(Box(399_000, 399_000, 3, 4)).shape == (3, 4, 1)


def test_an_open_file_is_read_too(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.uint16).reshape(2, 2, 3)
    for ending in (".png", ".tif", ".npy"):
        write_picture(tmp_path / f"a{ending}", array)
        file = io.BytesIO((tmp_path / f"a{ending}").read_bytes())
        assert np.array_equal(open_picture(file, "a row", axes="yxc").read(), array)
    with pytest.raises(DataError, match="a row: not a picture"):
        open_picture(io.BytesIO(b""), "a row")


def test_a_folder_gives_its_pictures_sorted(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "c.webp"):
        write_random(tmp_path / name)
    (tmp_path / "notes.txt").write_text("")
    assert [file.name for file in list_pictures(tmp_path)] == ["a.jpg", "b.PNG", "c.webp"]


def test_missing_and_empty_folders_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: no such folder"):
        list_pictures(tmp_path / "absent")
    with pytest.raises(DataError, match=rf"{tmp_path.name}: no pictures in this folder \(.png .jpg .*; it is empty"):
        list_pictures(tmp_path)
    for name in ("a.gif", "b.gif", "notes"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"no pictures in this folder .*; it holds 2 x \.gif, 1 x no ending; take"):
        list_pictures(tmp_path)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_picture(tmp_path / "a.png", np.full((2, 2, 1), 7, np.uint8))

    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_picture(tmp_path / "a.png", np.zeros((2, 2, 1), np.uint8))
    assert open_picture(tmp_path / "a.png").read().flatten().tolist() == [7] * 4
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
