"""What a check has to know of a picture, small enough to keep for all of them."""

import hashlib
import math
from typing import NamedTuple

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from inference.pictures import Array, Picture, as_rgb, shown_range

SIDE = 16  # of a thumbnail
GRAY = 128  # the longest side of what shifts are found in


class Facts(NamedTuple):
    """What is known of a picture after it has been read once.

    Attributes:
        size: height and width.
        kind: channels and dtype, in words.
        content: a digest of its numbers, size and dtype.
        constant: whether all its pixels are alike.
        range: its smallest and its largest number, of those that are finite; NaN where there is none.
        turned: whether it was turned upright as its EXIF orientation says.
        thumbnail: 3 x 16 x 16 in [0, 1].
        gray: its brightness, 1 x h x w in [0, 1], of at most 128 pixels along a side.
    """

    size: tuple[int, int]
    kind: str
    content: bytes
    constant: bool
    range: tuple[float, float]
    turned: bool
    thumbnail: Tensor
    gray: Tensor


def facts_of(picture: Picture) -> Facts:
    """Read a picture, whole.

    Raises:
        DataError: it cannot be read.
    """
    array = picture.read()
    digest = hashlib.sha256(f"{array.shape} {array.dtype}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    shown = as_rgb(shown_range(array))[None]
    height, width = picture.size
    factor = min(GRAY / max(height, width), 1.0)
    smaller = max(round(height * factor), 1), max(round(width * factor), 1)
    return Facts(
        size=picture.size,
        kind=f"{picture.channels} x {picture.dtype}",
        content=digest.digest(),
        constant=bool((array == array[0, 0]).all()),
        range=_range_of(array),
        turned=picture.turned,
        thumbnail=F.interpolate(shown, (SIDE, SIDE), mode="bilinear", antialias=True)[0],
        gray=F.interpolate(shown.mean(1, keepdim=True), smaller, mode="bilinear", antialias=True)[0],
    )


def _range_of(array: Array) -> tuple[float, float]:
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    return (float(finite.min()), float(finite.max())) if finite.size else (math.nan, math.nan)
