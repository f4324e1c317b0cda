"""TIFF files: of any depth and number of channels, read in part where they are large, and written tile by tile."""

import lzma
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import tifffile

from inference.pictures.bombs import MORE, refuse_bomb, refuse_bombs, refuse_circles, smallest_bomb
from inference.pictures.picture import Array, DataError, Picture, by, refuse_larger, slices, upright
from inference.sizes import Box

Axes = Literal["auto", "yxc", "cyx"]
TILE = 512  # of the files that are written in parts
ORIENTATION = 274  # the number of the TIFF tag
DAMAGE = (tifffile.TiffFileError, struct.error, zlib.error, lzma.LZMAError, ArithmeticError, LookupError, TypeError)
KNOWN = (tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB)


class MissingCodecError(DataError):
    """The compression is not among those that tifffile decodes by itself."""


def open_tiff(file: Path | IO[bytes], name: str, axes: Axes) -> Picture:
    """Open a TIFF; its pixels are read when they are asked for, and of tiles and plain arrays only those needed.

    Args:
        file: a path or an open file.
        name: what messages call it.
        axes: how pages and channels lie; ``auto`` where the file says so itself.

    Raises:
        DataError: not a TIFF, damaged, or what it holds is no picture of one size.
        MissingCodecError: its compression needs the package imagecodecs.
    """
    try:
        with tifffile.TiffFile(file) as tiff:
            return _picture(tiff, file, name, axes)
    except (*DAMAGE, MemoryError) as error:
        raise DataError(f"{name}: damaged or not a TIFF, remove or replace it ({error})") from None


def open_pages(file: Path) -> list[Picture]:
    """Open the pages of a TIFF, each as a gray picture of its own; their pixels are read when they are asked for.

    Raises:
        DataError: no TIFF, damaged, or its pages are not gray and of one size.
    """
    name = str(file)
    whole = open_tiff(file, name, "cyx")
    if not whole.channels > 1:
        return [whole]
    with tifffile.TiffFile(file) as tiff:
        pages = len(tiff.series[0].pages)
    if pages != whole.channels:
        raise DataError(f"{name}: {whole.channels} channels in {pages} pages; each page must be a gray picture")

    def reader(index: int) -> Callable[[Box], Array]:
        def read_box(box: Box) -> Array:
            with _damage_named(name), tifffile.TiffFile(file) as tiff:
                series = tiff.series[0]
                if series.keyframe.is_memmappable and series.dataoffset is not None:
                    return series.asarray(out="memmap")[index][slices(box)][..., None]
                return _read_tiles(series.keyframe, series.pages[index], box)

        return read_box

    return [Picture((*whole.size, 1), whole.dtype, reader(index), name) for index in range(pages)]


def refuse_bombs_in(file: IO[bytes], name: str, most: int) -> None:
    """Require that the tiles and strips of a TIFF unpack to no more than what they are to hold.

    They are unpacked whole, however much that is, when they are read.

    Args:
        file: open.
        name: what messages call it.
        most: how many numbers a tile may hold.

    Raises:
        DataError: one does not.
    """
    file.seek(0)
    with _damage_named(name), tifffile.TiffFile(file) as tiff:
        series: Any = tiff.series[0]
        if math.prod(series.keyframe.chunks) > most:
            raise ValueError(MORE)
        refuse_bombs(series)


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (*DAMAGE, ValueError, RuntimeError, OSError) as error:
        raise DataError(f"{name}: damaged, remove or replace it ({' '.join(str(error).split())})") from None


def _picture(tiff: tifffile.TiffFile, file: Path | IO[bytes], name: str, axes: Axes) -> Picture:
    refuse_circles(tiff)
    if len(tiff.series) != 1:
        shapes = ", ".join(by(series.shape) for series in tiff.series[:4])
        raise DataError(
            f"{name}: {len(tiff.series)} pictures of unlike kinds ({shapes}); save each as a file of its own"
        )
    series = tiff.series[0]
    page = series.keyframe
    color = page.photometric
    decoded = color == tifffile.PHOTOMETRIC.YCBCR and page.compression == tifffile.COMPRESSION.JPEG  # as RGB
    if not decoded and color not in (*KNOWN, tifffile.PHOTOMETRIC.PALETTE):
        raise DataError(f"{name}: colors in {getattr(color, 'name', color)}; convert it to RGB first")
    if series.dtype is None:
        raise DataError(f"{name}: numbers of {page.bitspersample} bits cannot be read; save them in 8, 16 or 32 bits")
    order = _order(series.shape, series.axes, name, axes)
    shape = tuple((*series.shape, 1)[axis] for axis in order)
    _require_codec(page, name)

    def read_box(box: Box) -> Array:
        if not isinstance(file, Path):
            file.seek(0)
        with _damage_named(name), tifffile.TiffFile(file) as tiff:
            refuse_larger(tiff.series[0].keyframe.chunks, f"{name}, a tile or strip")
            return _read(tiff.series[0], order, box)

    picture = Picture(shape, series.dtype, read_box, name)
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
        picture = _with_colors(picture, page.colormap)
    orientation = page.tags.valueof(ORIENTATION, default=1)
    return turned(picture, orientation) if orientation in range(2, 9) else picture


def _order(shape: tuple[int, ...], axes: str, name: str, given: Axes) -> tuple[int, int, int]:
    """Return which axes are rows, columns and channels; the channel of a gray picture is an axis after the others."""
    if axes in ("YX", "YXS"):
        return 0, 1, 2
    if axes in ("SYX", "CYX"):
        return 1, 2, 0
    if len(shape) == 3:
        return axes_of(given, f"{name}: {shape[0]} pages of {by(shape[1:])}")
    raise DataError(f"{name}: {by(shape)} numbers along {axes}; save each picture as a file of its own")


def axes_of(given: Axes, what: str) -> tuple[int, int, int]:
    """Return which axes of an array of three are rows, columns and channels.

    Args:
        given: the option.
        what: how the message begins, with the shape.

    Raises:
        DataError: the option leaves it open.
    """
    if given == "auto":
        raise DataError(f"{what}; set axes to cyx if the first are channels, or to yxc if the last are")
    return (0, 1, 2) if given == "yxc" else (1, 2, 0)


def _require_codec(page: Any, name: str) -> None:
    try:
        page.decode(None, 0)  # of a tile that is not there, which takes the decoder and no data
    except ValueError as error:
        if "imagecodecs" in str(error):
            raise MissingCodecError(
                f"{name}: a TIFF compressed by {page.compression.name}, which needs another package: "
                "pip install imagecodecs"
            ) from None
        raise DataError(f"{name}: this TIFF cannot be read ({error})") from None


def _read(series: Any, order: tuple[int, int, int], box: Box) -> Array:
    """Read a part of a series, height x width x channels."""
    page, pages = series.keyframe, len(series.pages)
    if order == (0, 1, 2) and pages == 1 and not page.is_memmappable:
        array = _read_tiles(page, page, box)
    elif order == (1, 2, 0) and pages == series.shape[0] and not page.is_memmappable:  # the pages are the channels
        array = np.concatenate([_read_tiles(page, each, box) for each in series.pages], 2)
    else:
        mapped = page.is_memmappable and series.dataoffset is not None and series.parent.filehandle.is_file
        refuse_bombs(series, smallest_bomb())
        whole = series.asarray(out="memmap" if mapped else None)
        array = (whole[..., None] if whole.ndim == 2 else whole).transpose(order)[slices(box)]
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        array = ~array if array.dtype == bool else np.iinfo(array.dtype).max - array
    return array


def _read_tiles(layout: Any, page: Any, box: Box) -> Array:
    """Decode the tiles or strips of a page that a part of it touches: height x width x samples.

    Args:
        layout: the first page of the series, which tells how all of them are stored.
        page: which.
        box: the part.
    """
    height, width = layout.chunks[:2]
    bottom, right = box.top + box.height, box.left + box.width
    part = np.zeros((box.height, box.width, layout.samplesperpixel), layout.dtype)
    file, smallest = layout.parent.filehandle, smallest_bomb()
    for row in range(box.top // height, -(-bottom // height)):
        for column in range(box.left // width, -(-right // width)):
            index = row * layout.chunked[1] + column
            file.seek(page.dataoffsets[index])
            encoded = file.read(page.databytecounts[index])
            if len(encoded) >= smallest:
                refuse_bomb(layout, encoded)
            tile = layout.decode(encoded, index, jpegtables=layout.jpegtables)[0]
            if tile is None:  # left out of the file, as all of it is 0
                continue
            top, left = row * height, column * width
            first_row, end_row = max(top, box.top), min(top + height, bottom)
            first_column, end_column = max(left, box.left), min(left + width, right)
            part[first_row - box.top : end_row - box.top, first_column - box.left : end_column - box.left] = tile[
                0, first_row - top : end_row - top, first_column - left : end_column - left
            ]
    return part


def _with_colors(indices: Picture, colors: Array) -> Picture:
    """Return the picture in the colors of its palette, which are of 16 bits in the file and mean 8."""
    table = (colors >> 8).astype(np.uint8).T
    shape = (*indices.size, 3)
    return Picture(shape, table.dtype, lambda box: table[indices.read(box)[..., 0]], indices.name, indices)


def turned(picture: Picture, orientation: int) -> Picture:
    """Return the picture upright; it is read whole then.

    Args:
        picture: as stored.
        orientation: EXIF's, 1 to 8.
    """
    shape = upright(np.empty((*picture.size, 0)), orientation).shape
    indices = turned(picture.indices, orientation) if picture.indices else None
    upright_picture = Picture(
        (shape[0], shape[1], picture.channels),
        picture.dtype,
        lambda box: upright(picture.read(), orientation)[slices(box)],
        picture.name,
        indices,
    )
    upright_picture.turned = True
    return upright_picture


def write_tiff_pages(file: Path, array: Array) -> None:
    """Write an array, height x width x pages, as gray pages, compressed without loss."""
    pages = np.ascontiguousarray(array.transpose(2, 0, 1))
    tifffile.imwrite(file, pages, photometric="minisblack", compression="zlib")


def write_tiff(file: Path, array: Array) -> None:
    """Write an array, height x width x channels, compressed without loss."""
    channels = array.shape[2]
    colors = channels in (3, 4) and array.dtype.kind == "u"
    tifffile.imwrite(
        file,
        array[..., 0] if channels == 1 else array,
        photometric="rgb" if colors else "minisblack",
        planarconfig=None if channels == 1 else "contig",
        compression="zlib",
        metadata=None,
    )


def write_tiff_parts(
    file: Path, parts: Iterator[tuple[Box, Array]], shape: tuple[int, int, int], dtype: np.dtype[Any]
) -> None:
    """Write a picture that comes in parts, so that no more than a row of them is in memory.

    Args:
        file: to write; its tiles are 512 x 512, compressed without loss.
        parts: of the picture, where they belong and height x width x channels, in rows from the top and from the left
            in each row; those of a row are equally high, and all of them together are the picture.
        shape: of the picture, height x width x channels.
        dtype: of its numbers.
    """
    height, width, channels = shape
    colors = channels in (3, 4) and dtype.kind == "u"
    with tifffile.TiffWriter(file, bigtiff=height * width * channels * dtype.itemsize > 2**31) as writer:
        writer.write(
            (each[..., 0] if channels == 1 else each for each in _tiles(_strips(parts, width), shape)),
            shape=(height, width) if channels == 1 else shape,
            dtype=dtype,
            tile=(TILE, TILE),
            photometric="rgb" if colors else "minisblack",
            planarconfig=None if channels == 1 else "contig",
            compression="zlib",
            metadata=None,
        )


def _strips(parts: Iterator[tuple[Box, Array]], width: int) -> Iterator[Array]:
    """Join the parts of each row."""
    row: list[Array] = []
    for box, array in parts:
        row.append(array)
        if box.left + box.width == width:
            yield np.concatenate(row, 1)
            row = []


def _tiles(strips: Iterator[Array], shape: tuple[int, int, int]) -> Iterator[Array]:
    """Cut strips of any height into tiles, filled up with zeros where they reach beyond the picture."""
    height, width, channels = shape
    kept: Array | None = None
    seen = 0
    for strip in strips:
        seen += len(strip)
        rows = strip if kept is None else np.concatenate([kept, strip])
        complete = len(rows) if seen == height else len(rows) // TILE * TILE
        for top in range(0, complete, TILE):
            for left in range(0, width, TILE):
                tile = np.zeros((TILE, TILE, channels), strip.dtype)
                part = rows[top : min(top + TILE, complete), left : left + TILE]
                tile[: part.shape[0], : part.shape[1]] = part
                yield tile
        kept = rows[complete:].copy()
