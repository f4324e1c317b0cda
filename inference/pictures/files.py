"""Find, open and write pictures: PNG, JPEG, WebP, BMP, TIFF and NumPy's arrays."""

import math
import os
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError  # of NPY headers
from typing import IO, Any
from zipfile import BadZipFile, ZipFile, is_zipfile

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from inference.pictures.picture import Array, DataError, Picture, TooLargeError, by, refuse_larger
from inference.pictures.png import FASTEST, decode_png, is_deep, read_deep_png, write_deep_png
from inference.pictures.tiff import (
    ORIENTATION,
    Axes,
    MissingCodecError,
    axes_of,
    open_tiff,
    refuse_bombs_in,
    turned,
    write_tiff,
)

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".npy", ".npz")
FORMATS: dict[str, dict[str, tuple[int, ...]]] = {  # the numbers of channels that they hold, of each dtype
    ".png": {"bool": (1,), "uint8": (1, 2, 3, 4), "uint16": (1, 3, 4)},
    ".jpg": {"uint8": (1, 3)},
    ".jpeg": {"uint8": (1, 3)},
    ".webp": {"uint8": (3, 4)},
    ".bmp": {"uint8": (1, 3)},
}
OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"compress_level": FASTEST},
    ".webp": {"lossless": True, "exact": True},
}
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PILLOWS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")  # of its formats: others may start programs, as EPS does
DAMAGE = (OSError, SyntaxError, ValueError, RuntimeError, EOFError, BadZipFile, TokenError, zlib.error)

File = Path | IO[bytes]


def list_pictures(folder: Path) -> list[Path]:
    """Return the pictures in ``folder``, not below it, sorted by name.

    Raises:
        DataError: no such folder, or no picture in it.
    """
    return [folder / name for name in picture_names(folder)]


def picture_names(folder: Path) -> list[str]:
    """Return the names, with their endings, of the pictures in ``folder``, not below it, sorted.

    Raises:
        DataError: no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    with os.scandir(folder) as entries:  # which tells files from folders without looking at each
        names = sorted(entry.name for entry in entries if entry.is_file())
    pictures = [name for name in names if name.lower().endswith(EXTENSIONS) and name.lower() not in EXTENSIONS]
    if not pictures:
        there = what_is_there(map(Path, names))
        raise DataError(f"{folder}: no pictures in this folder ({' '.join(EXTENSIONS)}); {there}; take another")
    return pictures


def what_is_there(files: Iterable[Path]) -> str:
    """Count files by their extensions, for messages about those that are missing."""
    endings = Counter(file.suffix.lower() or "no ending" for file in files)
    return (
        f"it holds {', '.join(f'{count} x {ending}' for ending, count in endings.items())}"
        if endings
        else "it is empty"
    )


def open_picture(
    file: File, name: str | Path | None = None, axes: Axes = "auto", *, most_pixels: int | None = None
) -> Picture:
    """Open a picture as it is stored, upright: its dtype and all its channels, nothing converted.

    Of TIFF and NPY files only the parts that are asked for are read, where they are stored so that this is possible.

    Args:
        file: a path or an open file.
        name: what to call it in errors; its path by default.
        axes: how a file of several pages, or an array of three dimensions, lies: ``yxc`` is height x width x channels,
            ``cyx`` channels (or pages) x height x width, ``auto`` what the file says itself.
        most_pixels: a larger picture is refused before its pixels are decoded; four channels count as one. None takes
            what Pillow takes, and TIFF and NPY of any size.

    Raises:
        DataError: it is missing, damaged or not a picture; it is of another kind than gray, RGB, a palette or numbered
            channels; several frames; or ``auto`` where the file leaves open what its axes are.
        TooLargeError: it has more pixels.
    """
    name = str(name or file)
    try:
        start = _start(file)
        if start.startswith(b"\x93NUMPY") or (isinstance(file, Path) and file.suffix.lower() in (".npy", ".npz")):
            return _open_array(file, name, axes, most_pixels)
        if start.startswith(TIFF_STARTS):
            return _open_tiff(file, name, axes, most_pixels)
        return _open_with_pillow(file, name, most_pixels)
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except UnidentifiedImageError:
        raise DataError(f"{name}: not a picture in a format that can be read; remove or replace it") from None
    except DataError:
        raise
    except DAMAGE as error:
        raise DataError(f"{name}: damaged, remove or replace it ({' '.join(str(error).split())})") from None


def _start(file: File) -> bytes:
    if isinstance(file, Path):
        with file.open("rb") as opened:
            return opened.read(6)
    file.seek(0)
    start = file.read(6)
    file.seek(0)
    return start


def _refuse_larger(shape: tuple[int, ...], most_pixels: int | None, name: str) -> None:
    pixels = math.prod(shape[:2]) * max(math.prod(shape[2:]) / 4, 1)
    if most_pixels is not None and pixels > most_pixels:
        raise TooLargeError(f"{name}: {by(shape)}, more than {most_pixels / 1e6:g} megapixels; make it smaller")


def _open_tiff(file: File, name: str, axes: Axes, most_pixels: int | None) -> Picture:
    try:
        picture = open_tiff(file, name, axes)
        _refuse_larger((*picture.size, picture.channels), most_pixels, name)
        if most_pixels is not None and not isinstance(file, Path):
            refuse_bombs_in(file, name, 4 * most_pixels)
        return picture
    except MissingCodecError:
        # Pillow has some of these codecs; what it would drop is refused.
        with Image.open(file) as image:
            tags: Any = getattr(image, "tag_v2", {})
            if max(tags.get(258, (1,))) > 8 or tags.get(277, 1) != len(image.getbands()) or image.mode == "CMYK":
                raise
        return _open_with_pillow(file, name, most_pixels)


def _open_with_pillow(file: File, name: str, most_pixels: int | None) -> Picture:
    with _open_image(file, name) as image:
        _refuse_larger(image.size[::-1], most_pixels, name)
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO":  # a phone's JPEG, with a preview or depth map after the picture
            raise DataError(f"{name}: {frames} frames; save each as a file of its own")
        if (decoded := decode_png(file, image)) is not None:
            return Picture.of(decoded, name)
        deep = is_deep(image)
        image.load()
        orientation = image.getexif().get(ORIENTATION, 1)
        picture = Picture.of(read_deep_png(lambda: _open_image(file, name), name) if deep else image, name)
    return turned(picture, orientation) if orientation in range(2, 9) else picture


def _open_image(file: File, name: str) -> ImageFile:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # above half of the size that is refused
            return Image.open(file, formats=PILLOWS)
    except Image.DecompressionBombError as error:
        raise TooLargeError(f"{name}: {error}; save it as TIFF if that is what it is") from None


def _open_array(file: File, name: str, axes: Axes, most_pixels: int | None) -> Picture:
    if most_pixels is not None and not isinstance(file, Path):
        _refuse_larger(_shape_of_npy(file), most_pixels, name)
    if isinstance(file, Path) and is_zipfile(file):
        _refuse_large_archive(file, name)
    loaded = np.load(file, mmap_mode="r" if isinstance(file, Path) else None)
    if not isinstance(loaded, np.ndarray):
        with loaded:
            if len(loaded.files) != 1:
                raise DataError(f"{name}: {len(loaded.files)} arrays; save each as a file of its own")
            array: Array = loaded[loaded.files[0]]
    else:
        array = loaded
    if array.ndim == 2:
        array = array[..., None]
    elif array.ndim == 3:
        last = array.shape[2] < min(array.shape[:2])
        order = (0, 1, 2) if axes == "auto" and last else axes_of(axes, f"{name}: an array of {by(array.shape)}")
        array = array.transpose(order)
    return Picture.of(array, name)


def _shape_of_npy(file: IO[bytes]) -> tuple[int, ...]:
    """Return the shape that an open NPY file declares, and go back to its start."""
    shape, _ = _header_of_npy(file)
    file.seek(0)
    return shape


def _header_of_npy(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    version, _ = np.lib.format.read_magic(file)
    shape, _, dtype = read[min(version, 2)](file)
    return shape, dtype


def _refuse_large_archive(file: Path, name: str) -> None:
    """Require that the arrays of an NPZ file are not larger than what may be decoded at once: they are read whole."""
    with ZipFile(file) as archive:
        for part in archive.namelist():
            with archive.open(part) as opened:
                shape, dtype = _header_of_npy(opened)
            refuse_larger((*shape, dtype.itemsize), name)  # float32 of one channel counts as one pixel


def ending_for(dtype: np.dtype[Any], channels: int) -> str:
    """Return the ending of the format that keeps a picture: .png where it can, otherwise .tif, or .npy."""
    if channels in ((1,) if dtype.kind == "b" else (1, 3, 4)) and dtype.name in ("bool", "uint8", "uint16"):
        return ".png"
    return ".npy" if dtype.kind == "b" else ".tif"


def write_picture(file: Path, array: Array) -> None:
    """Write a picture whole or not at all; JPEG alone changes its numbers.

    Args:
        file: to write; its ending chooses the format. WebP is written without loss.
        array: height x width x channels, of a dtype that the format holds: PNG bool (one channel), uint8 and uint16 in
            1 to 4 channels; JPEG, WebP and BMP uint8; TIFF all but bool of several channels; NPY all.

    Raises:
        DataError: the format cannot hold it.
    """
    check_format(file, array.dtype, array.shape[2])
    with whole_or_not_at_all(file) as unfinished:
        _write(unfinished, array)


@contextmanager
def whole_or_not_at_all(file: Path) -> Iterator[Path]:
    """Yield another name to write under; what is there at the end becomes ``file``, unless there was an error."""
    unfinished = file.with_name(f".{file.stem}.{os.getpid()}{file.suffix}")
    try:
        yield unfinished
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def check_format(file: Path, dtype: np.dtype[Any], channels: int) -> None:
    """Require a format that holds pictures of this kind.

    Args:
        file: whose ending names the format.
        dtype: of the picture's numbers.
        channels: of the picture.

    Raises:
        DataError: it cannot.
    """
    ending = file.suffix.lower()
    if ending == ".npy" or (ending in (".tif", ".tiff") and (dtype.kind != "b" or channels == 1)):
        return
    if channels not in FORMATS.get(ending, {}).get(dtype.name, ()):
        best = ending_for(dtype, channels)
        raise DataError(f"{file}: {ending or 'no ending'} does not hold {channels} x {dtype}; take {best}")


def _write(file: Path, array: Array) -> None:
    ending = file.suffix.lower()
    if ending == ".npy":
        np.save(file, array)
    elif ending in (".tif", ".tiff"):
        write_tiff(file, array)
    elif ending == ".png" and array.dtype == np.uint16:
        write_deep_png(file, array)
    else:
        image = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
        image.save(file, **OPTIONS.get(ending, {}))
