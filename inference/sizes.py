"""Pictures of any size for networks that take multiples of their stride: padded by reflection, and cropped back."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Size = tuple[int, int]  # height, width


class Box(NamedTuple):
    """A rectangle of pixels of a picture; it may reach beyond its borders."""

    top: int
    left: int
    height: int
    width: int


Read = Callable[[Box], Tensor]  # the pixels of a box of some picture, C x height x width


def height_width(name: str, size: int | Size | None) -> Size | None:
    """Return a size as height and width; one number is a square's.

    Args:
        name: what messages call it.
        size: at least 1; None stays.

    Raises:
        ValueError: a side below 1.
    """
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise ValueError(f"{name} must be at least 1; got {size}")
    return height, width


def padded_size(size: Size, stride: int, least: int = 1) -> Size:
    """Return the size of the smallest picture that a network takes and that holds one of ``size``.

    Args:
        size: height and width, at least 1.
        stride: what the sides of the network's pictures are multiples of.
        least: the shortest side that the network takes.
    """
    height, width = (-(-max(side, least) // stride) * stride for side in size)
    return height, width


def pad(picture: Tensor, stride: int, least: int = 1) -> Tensor:
    """Extend a picture ... x H x W at its bottom and right to its padded size, by reflection; see :func:`reflected`.

    Args:
        picture: of any type, H and W at least 1.
        stride: what the sides of the network's pictures are multiples of.
        least: the shortest side that the network takes.
    """
    height, width = picture.shape[-2:]
    read = reflected(lambda box: crop(picture, box), (height, width))
    return read(Box(0, 0, *padded_size((height, width), stride, least)))


def crop(picture: Tensor, box: Box) -> Tensor:
    """Return a view of the pixels ... x height x width of a box inside a picture ... x H x W."""
    return picture[..., box.top : box.top + box.height, box.left : box.left + box.width]


def clip(box: Box, size: Size) -> Box:
    """Return the part of a box that begins inside a picture of ``size`` which does not reach beyond it."""
    height, width = size
    return Box(box.top, box.left, min(box.height, height - box.top), min(box.width, width - box.left))


def reflected(read: Read, size: Size) -> Read:
    """Return a reader of a picture that goes on forever: at each border it is reflected, the border not repeated.

    A side shorter than the padding is reflected back and forth, and a side of 1 repeats. Only the part of the picture
    that a box shows is read.

    Args:
        read: gives the pixels of a box inside the picture.
        size: height and width of the picture.
    """

    def read_anywhere(box: Box) -> Tensor:
        rows = _reflection(box.top, box.height, size[0])
        columns = _reflection(box.left, box.width, size[1])
        top, left = int(rows.min()), int(columns.min())
        pixels = read(Box(top, left, int(rows.max()) - top + 1, int(columns.max()) - left + 1))
        if (top, left, *pixels.shape[-2:]) == box:
            return pixels
        rows, columns = (rows - top).to(pixels.device), (columns - left).to(pixels.device)
        return pixels.index_select(-2, rows).index_select(-1, columns)

    return read_anywhere


def _reflection(first: int, count: int, side: int) -> Tensor:
    """Return which of the pixels 0 to side - 1 show at the places ``first`` and on."""
    period = max(2 * (side - 1), 1)
    place = torch.arange(first, first + count) % period
    return torch.minimum(place, period - place) if side > 1 else place
