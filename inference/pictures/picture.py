"""Pictures as they are: an array with its dtype, height x width x channels, read whole or in part."""

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from inference.sizes import Box

Array = NDArray[Any]
DTYPES = ("bool", "uint8", "uint16", "int16", "float32")  # what pictures may hold
LIMIT, MEGAPIXELS = "PICTURE_MEGAPIXELS", "1000"  # the variable of the environment, and what it is by default
COLOR_SPACES = ("CMYK", "YCbCr", "LAB", "HSV")  # of Pillow's modes: what the numbers mean would be a guess


class DataError(ValueError):
    """Something is wrong with the user's files: one line that names the file and says what to do.

    A worker process of a DataLoader sends an exception home as text that ends in ours: only that part is kept.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rpartition(f"{__name__}.DataError: ")[2].strip())


class TooLargeError(DataError):
    """A picture has more pixels than may be read."""


def most_pixels_at_once() -> float:
    """Return how many pixels may be decoded at once: ``PICTURE_MEGAPIXELS`` of the environment, or a billion.

    Raises:
        DataError: the variable holds no number above 0.
    """
    given = os.environ.get(LIMIT, MEGAPIXELS)
    try:
        megapixels = float(given)
    except ValueError:
        megapixels = math.nan
    if not megapixels > 0:
        raise DataError(f"{LIMIT} must be a number above 0; got {given!r}")
    return megapixels * 1e6


def refuse_larger(shape: tuple[int, ...], name: str) -> None:
    """Require no more pixels than may be decoded at once; four channels count as one.

    Args:
        shape: height, width and channels.
        name: what messages call the picture.

    Raises:
        TooLargeError: there are more.
    """
    pixels = math.prod(shape[:2]) * max(math.prod(shape[2:]) / 4, 1)
    if pixels > (most := most_pixels_at_once()):
        limit = f"more than {most / 1e6:g} megapixels at once"
        raise TooLargeError(f"{name}: {by(shape)}, {limit}; cut it, or raise {LIMIT} of the environment")


class Picture:
    """A picture as it is stored, height x width x channels. Nothing is converted, and nothing read before it is asked.

    Args:
        shape: height, width and channels.
        dtype: of its numbers: bool, uint8, uint16, int16 or float32.
        read_box: reads a part of it, height x width x channels.
        name: what messages call it.
        indices: for a picture with a palette, the picture of its indices, one channel; its own channels are colors.

    Attributes:
        turned: whether its file holds it otherwise, and it was turned upright as the EXIF orientation says.
    """

    turned = False

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        read_box: Callable[[Box], Array],
        name: str,
        indices: "Picture | None" = None,
    ) -> None:
        self.height, self.width, self.channels = shape
        self.dtype = dtype.newbyteorder("=")
        self.name = name
        self.indices = indices
        self._read_box = read_box
        self._layers: list[Picture] = []
        if self.dtype.name not in DTYPES:
            raise DataError(f"{name}: numbers of type {self.dtype}; save it as one of {', '.join(DTYPES)}")
        if 0 in shape:
            raise DataError(f"{name}: an empty picture of {by(shape)}")

    @classmethod
    def of(cls, value: "Picture | Array | Image.Image | Tensor", name: str = "the picture") -> "Picture":
        """Make a picture of what Python code holds.

        Args:
            value: an array, height x width or height x width x channels; a picture of Pillow's; or a tensor,
                channels x height x width or height x width, as torchvision has them. Their dtypes are those of the
                class. A picture is returned as it is.
            name: what messages call it.

        Raises:
            DataError: another type or shape, or colors that are not gray, RGB or a palette's.
        """
        if isinstance(value, Picture):
            return value
        if isinstance(value, Image.Image):
            return _of_pillow(value, name)
        if isinstance(value, Tensor):
            value = (value.movedim(0, -1) if value.dim() == 3 else value).detach().cpu().numpy()
        if not isinstance(value, np.ndarray) or value.ndim not in (2, 3):
            got = by(value.shape) if isinstance(value, np.ndarray) else type(value).__name__
            raise DataError(
                f"{name}: expected an array of height x width x channels, a tensor of channels x height x width or a "
                f"picture of Pillow's; got {got}"
            )
        array: Array = value[..., None] if value.ndim == 2 else value
        return cls(array.shape, array.dtype, lambda box: array[slices(box)], name)

    @classmethod
    def stack(cls, pictures: "Sequence[Picture]") -> "Picture":
        """Return pictures of one size and dtype as one, along channels.

        Args:
            pictures: one or more; a single one is returned as it is.

        Raises:
            DataError: their sizes or dtypes differ.
        """
        first, *others = pictures
        for other in others:
            if other.size != first.size:
                raise DataError(f"{first.name}: {sizes_differ(first, other)} as {other.name}")
            if other.dtype != first.dtype:
                raise DataError(f"{first.name}: {first.dtype}, and {other.name} {other.dtype}; save them alike")
        if not others:
            return first
        channels = sum(picture.channels for picture in pictures)

        def read_box(box: Box) -> Array:
            return np.concatenate([picture.read(box) for picture in pictures], 2)

        stacked = cls((*first.size, channels), first.dtype, read_box, first.name)
        if channels == len(pictures):
            stacked._layers = list(pictures)
        return stacked

    def layers(self) -> "list[Picture]":
        """Return each channel as a picture of its own; of pictures that were stacked these, read one by one."""

        def reader(channel: int) -> Callable[[Box], Array]:
            return lambda box: self._read_box(box)[..., channel : channel + 1]

        shape = (*self.size, 1)
        return self._layers or [Picture(shape, self.dtype, reader(each), self.name) for each in range(self.channels)]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    def read(self, box: Box | None = None) -> Array:
        """Read the picture, or the part of it in ``box``: height x width x channels, an array that may be written to.

        Raises:
            DataError: it cannot be read.
            TooLargeError: it has more pixels than may be decoded at once.
        """
        box = box or Box(0, 0, self.height, self.width)
        refuse_larger((box.height, box.width, self.channels), self.name)
        part = self._read_box(box)
        return np.array(part, dtype=self.dtype, order="C")

    def part(self, box: Box) -> "Picture":
        """Return a part of the picture, which is read when it is asked for."""

        def read_box(inner: Box) -> Array:
            return self._read_box(Box(box.top + inner.top, box.left + inner.left, inner.height, inner.width))

        indices = self.indices.part(box) if self.indices else None
        return Picture((box.height, box.width, self.channels), self.dtype, read_box, self.name, indices)

    def labels(self) -> "Picture":
        """Return the picture whose one channel holds the numbers of classes: a palette's indices, or the gray values.

        Raises:
            DataError: it has several channels, or numbers with fractions.
        """
        labels = self.indices or self
        if labels.channels != 1 or labels.dtype.kind == "f":
            raise DataError(
                f"{self.name}: {labels.channels} channels of {labels.dtype} are no numbers of classes; save them gray "
                "or with a palette"
            )
        return labels


def _of_pillow(image: Image.Image, name: str) -> Picture:
    """Make a picture of one that Pillow has read, which must have kept all that the file holds."""
    if image.mode in COLOR_SPACES:
        raise DataError(f"{name}: colors in {image.mode}; convert it to RGB first")
    indices = None
    if image.mode in ("P", "PA"):
        indices = Picture.of(np.array(image.getchannel(0) if image.mode == "PA" else image), name)
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode in ("L", "RGB") and image.has_transparency_data:  # one color is declared to be transparent
        image = image.convert({"L": "LA", "RGB": "RGBA"}[image.mode])
    array = np.array(image)
    picture = Picture.of(array if array.ndim == 3 else array[..., None], name)
    picture.indices = indices
    return picture


def sizes_differ(a: Picture, b: Picture) -> str:
    """Return the middle of a message about two pictures whose sizes should be the same."""
    return f"{a.width} x {a.height} pixels, not the same {b.width} x {b.height}"


def slices(box: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a box, to index an array with."""
    return slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)


def by(shape: tuple[int, ...]) -> str:
    """Return a shape for messages: 3 x 4 x 5."""
    return " x ".join(str(side) for side in shape)


def upright(array: Array, orientation: int) -> Array:
    """Turn an array, height x width x channels, as the EXIF orientation 1 to 8 says; any other leaves it."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    vertical = {3: -1, 4: -1, 7: -1, 8: -1}.get(orientation, 1)
    horizontal = {2: -1, 3: -1, 6: -1, 7: -1}.get(orientation, 1)
    return array[::vertical, ::horizontal]
