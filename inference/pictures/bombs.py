"""Small TIFF files that unpack to more than memory holds, or never end."""

import lzma
import math
import struct
import zlib
from collections.abc import Callable
from typing import Any

import tifffile

from inference.pictures.picture import most_pixels_at_once

RATIO = 1032  # of deflate: how many bytes one byte unpacks to at most
PAGES = 2**16  # of a file, at most
MORE = "a tile or strip unpacks to more than the picture holds"


def refuse_circles(tiff: tifffile.TiffFile) -> None:
    """Require that the pages of a TIFF, each of which says where the next one is, come to an end.

    tifffile follows them for ever.

    Raises:
        ValueError: a page is followed by one before it; or there are more than 65,536.
    """
    file, kind = tiff.filehandle, tiff.tiff
    seen: set[int] = set()
    place = kind.offsetsize  # of the first page's own place: after four bytes, or eight in a BigTIFF
    while True:
        file.seek(place)
        offset = _number(kind.offsetformat, file.read(kind.offsetsize))
        if offset in seen or len(seen) > PAGES:
            raise ValueError("its pages have no end")
        if not 0 < offset < file.size:
            return
        seen.add(offset)
        file.seek(offset)
        place = offset + kind.tagnosize + kind.tagsize * _number(kind.tagnoformat, file.read(kind.tagnosize))


def _number(format: str, data: bytes) -> int:
    """Return the number that bytes are, and 0 where they end before it."""
    return int(struct.unpack(format, data)[0]) if len(data) == struct.calcsize(format) else 0


def refuse_bombs(series: Any, smallest: int = 0) -> None:
    """Require that the tiles and strips of a series unpack to no more than what they are to hold.

    Args:
        series: of tifffile.
        smallest: how many bytes of the file those take at least that are looked at.

    Raises:
        ValueError: one does not.
    """
    file = series.parent.filehandle
    for page in series.pages:
        for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
            if length >= smallest:
                file.seek(offset)
                refuse_bomb(series.keyframe, file.read(length))


def refuse_bomb(layout: Any, encoded: bytes) -> None:
    """Require that a tile or strip unpacks to no more than twice what it is to hold.

    Args:
        layout: the page of tifffile that tells how it is stored.
        encoded: as it lies in the file.

    Raises:
        ValueError: it does not.
    """
    most = 2 * math.prod(layout.chunks) * layout.dtype.itemsize
    if (unpacked := UNPACKED.get(layout.compression)) is not None and unpacked(encoded, most + 1) > most:
        raise ValueError(MORE)


def smallest_bomb() -> int:
    """Return how many bytes of a file may unpack to more than the pixels that may be decoded at once."""
    return int(4 * most_pixels_at_once() / RATIO)


def _deflated(encoded: bytes, most: int) -> int:
    return len(zlib.decompressobj().decompress(encoded, most))


def _lzma(encoded: bytes, most: int) -> int:
    return len(lzma.LZMADecompressor().decompress(encoded, most))


def _packbits(encoded: bytes, most: int) -> int:
    """Add up the runs: a byte below 128 copies one more than it says, one above repeats the next 257 less it times."""
    unpacked = place = 0
    while place < len(encoded) and unpacked < most:
        run = encoded[place]
        unpacked += run + 1 if run < 128 else (257 - run) % 129
        place += run + 2 if run < 128 else 1 + (run > 128)
    return unpacked


UNPACKED: dict[int, Callable[[bytes, int], int]] = {  # how many bytes something unpacks to, counted up to a number
    tifffile.COMPRESSION.ADOBE_DEFLATE: _deflated,
    tifffile.COMPRESSION.DEFLATE: _deflated,
    tifffile.COMPRESSION.LZMA: _lzma,
    tifffile.COMPRESSION.PACKBITS: _packbits,
}
