"""Sizes of pictures, and parts of them."""

from typing import NamedTuple


class Box(NamedTuple):
    """A part of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int
