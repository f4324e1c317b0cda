"""Small files that unpack to more than memory holds: tiles and strips of TIFF files."""

import lzma
import math
import zlib
from collections.abc import Callable
from typing import Any

import tifffile

from inference.pictures.picture import most_pixels_at_once

RATIO = 1032  # of deflate: how many bytes one byte unpacks to at most
MORE = "a tile or strip unpacks to more than the picture holds"


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
