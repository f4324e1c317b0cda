"""The areas of one color in a drawing, and where in them there is room for a mark."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray


def middles(picture: NDArray[np.uint8], least: int) -> list[tuple[int, int, int]]:
    """Find where each area of one color, but white and black, is widest.

    Args:
        picture: height x width x channels.
        least: areas in which no square of 2 * least + 1 pixels has room are left out.

    Returns:
        Row, column and radius of the largest square around them that the area has room for, 2 * radius + 1 pixels wide.
    """
    areas = _areas(picture)
    inside = (_around(areas, -1) == areas[..., None, None]).all((2, 3))
    depth = inside.astype(int)  # how many pixels it is to the nearest border of its area
    while inside.any():
        inside = _around(inside, False).all((2, 3))
        depth += inside
    found = []
    plain = (picture == picture[..., :1]).all(2) & np.isin(picture[..., 0], (0, 255))
    for area in np.unique(areas[(depth >= least) & ~plain]):
        within = areas == area
        radius = int(depth[within].max())
        deepest = np.argwhere(within & (depth == radius))
        nearest = np.abs(deepest - deepest.mean(0)).sum(1).argmin()  # to their middle
        found.append((int(deepest[nearest, 0]), int(deepest[nearest, 1]), radius))
    return found


def _areas(picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number the areas of one color: pixels that touch, side by side, have the number of one of them."""
    numbers = np.arange(picture[..., 0].size).reshape(picture.shape[:2])
    below, right = (picture[1:] == picture[:-1]).all(2), (picture[:, 1:] == picture[:, :-1]).all(2)
    while True:
        lower = numbers.copy()
        for alike, first, second in (below, lower[:-1], lower[1:]), (right, lower[:, :-1], lower[:, 1:]):
            smaller = np.minimum(first, second)
            np.minimum(first, smaller, out=first, where=alike)
            np.minimum(second, smaller, out=second, where=alike)
        lower = lower.ravel()[lower]  # the number of the pixel whose number it has: long areas take few rounds
        if (lower == numbers).all():
            return numbers
        numbers = lower


def _around(array: NDArray[Any], outside: Any) -> NDArray[Any]:
    """Return the 3 x 3 values around each pixel: height x width x 3 x 3."""
    return sliding_window_view(np.pad(array, 1, constant_values=outside), (3, 3))
