"""Between pictures and networks: channels, the window of values that becomes [-1, 1], classes, and what is unknown."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from inference.pictures.picture import Array, DataError, Picture
from inference.sizes import Box

Window = tuple[float, float]
NaN = Literal["error", "mask"]

LUMA = (19595, 38470, 7471)  # of red, green and blue in gray (ITU-R 601-2), in 65536ths, as Pillow has them


class PictureFormat(NamedTuple):
    """What the pictures of one side are, in files and for the network.

    Attributes:
        channels: that the network sees. Pictures of 1 (gray), 3 (RGB) and 4 channels (RGBA) are converted to one
            another; any other number must be that of the files.
        dtype: of the numbers in files, which outputs are written with.
        window: the lowest and the highest value, in the units of the files; they become -1 and 1, and what lies
            outside is clipped. None: the range of the dtype of each picture.
        labels: the number of classes, if a picture's values are these: each becomes a channel, which is 1 where it is
            and -1 elsewhere.
        nan: whether pixels that are NaN, in any channel, are an error, or unknown.
    """

    channels: int = 3
    dtype: str = "uint8"
    window: Window | None = None
    labels: int | None = None
    nan: NaN = "error"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return the format that a checkpoint holds as a dictionary, as ``_asdict`` returns it."""
        window = values["window"]
        return cls(**{**values, "window": None if window is None else (float(window[0]), float(window[1]))})

    @property
    def range(self) -> Window:
        """The window of pictures in the format's own dtype."""
        return self.window or range_of(np.dtype(self.dtype))

    def describe(self) -> str:
        """Return in a few words what the pictures are."""
        if self.labels is not None:
            return f"{self.labels} classes"
        low, high = self.range
        return f"{self.channels} x {self.dtype}, {low:g} to {high:g}"

    def read(self, picture: Picture, box: Box | None = None) -> Tensor:
        """Read a picture, or a part of it, for geometry and color; see :meth:`to_values`."""
        return self.to_values(self.source(picture).read(box), picture.name)

    def source(self, picture: Picture) -> Picture:
        """Return what is read of a picture: with ``labels`` its classes, which may be the indices of a palette."""
        return picture if self.labels is None else picture.labels()

    def to_values(self, array: Array, name: str) -> Tensor:
        """Convert what was read, H x W x C, for geometry and color: C x H x W.

        Returns:
            uint8, where pictures of 8 bits keep their whole range; classes as uint8, 1 x H x W; otherwise float32 with
            the window mapped to [0, 1], clipped. What is unknown is NaN.

        Raises:
            DataError: the channels do not fit, a class does not exist, or there are NaN pixels; ``name`` says where.
        """
        if self.labels is not None:
            return torch.from_numpy(_classes(array, self.labels, name)).movedim(-1, 0)
        array = to_channels(array, self.channels, name)
        low, high = self.window or range_of(array.dtype)
        if array.dtype == np.uint8 and (low, high) == (0, 255):
            # Not contiguous: torch resizes bytes whose channels lie side by side 2.7 times as fast, to the same values.
            return torch.from_numpy(array).movedim(-1, 0)
        unit = (array.astype(np.float32) - np.float32(low)) / np.float32(high - low)
        if array.dtype.kind == "f":
            self._refuse_nan(unit, name)
            if self.window is None and ((array < 0) | (array > 1)).any():
                raise DataError(f"{name}: {array.dtype} beyond [0, 1], and no window that says what they mean")
        return torch.from_numpy(unit.clip(0, 1)).movedim(-1, 0).contiguous()

    def _refuse_nan(self, array: Array, name: str) -> None:
        unknown = np.isnan(array).any(-1)
        if self.nan == "error" and unknown.any():
            raise DataError(f"{name}: {unknown.sum()} pixels are NaN; set nan to mask if they are unknown")

    def to_network(self, values: Tensor) -> Tensor:
        """Map what :meth:`read` returned to what the network sees: float32, C x H x W, in [-1, 1]; NaN stays."""
        if self.labels is not None:
            return F.one_hot(values[0].long(), self.labels).movedim(-1, 0).float().mul_(2).sub_(1)
        return values.float().div_(127.5).sub_(1) if values.dtype == torch.uint8 else values.mul(2).sub_(1)

    def to_array(self, output: Tensor) -> Array:
        """Map the output of a network, C x H x W in [-1, 1], to numbers of files, H x W x C; integers are rounded."""
        low, high = self.range
        values = output.movedim(0, -1).double().cpu().numpy().clip(-1, 1) / 2 + 0.5
        values = values * (high - low) + low
        dtype = np.dtype(self.dtype)
        if dtype.kind == "f":
            return values.astype(dtype)
        smallest, largest = range_of(dtype)
        return values.round().clip(smallest, largest).astype(dtype)

    def clipped(self, array: Array) -> int:
        """Count the numbers of a picture that lie outside of the window."""
        low, high = self.window or range_of(array.dtype)
        return int(((array < low) | (array > high)).sum())


def range_of(dtype: np.dtype[Any]) -> Window:
    """Return the lowest and the highest value of an integer dtype, or of bool; of floating point [0, 1]."""
    if dtype.kind in "ui":
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return 0.0, 1.0


def shown_range(array: Array) -> Tensor:
    """Map numbers H x W x C to [0, 1] to look at them, C x H x W: integers and bool by the range of their type.

    Floating point is mapped by the least and the largest number that there is, and NaN becomes 0.
    """
    low, high = range_of(array.dtype)
    if array.dtype.kind == "f":
        finite = array[np.isfinite(array)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (low, high)
    unit = (array.astype(np.float32) - low) / max(high - low, 1e-12)
    return torch.from_numpy(unit).movedim(-1, 0).nan_to_num(0)


def to_channels(array: Array, channels: int, name: str) -> Array:
    """Convert between gray, RGB and RGBA; a picture that has the channels already is returned as it is.

    Gray becomes equal red, green and blue; colors become gray by ITU-R 601-2, as Pillow has it; a new alpha is opaque,
    and one that is not wanted is dropped.

    Args:
        array: height x width x channels.
        channels: that are wanted.
        name: what messages call it.

    Raises:
        DataError: other numbers of channels.
    """
    given = array.shape[2]
    if given == channels:
        return array
    if channels not in (1, 3, 4) or given not in (1, 2, 3, 4):
        raise DataError(
            f"{name}: {given} channels, where {channels} are wanted; only 1, 3 and 4 are converted to one another"
        )
    colors, alpha = (array[..., :-1], array[..., -1:]) if given in (2, 4) else (array, None)
    if channels == 1 and colors.shape[2] == 3:
        colors = _gray(colors)
    if channels > 1:
        colors = np.broadcast_to(colors, (*colors.shape[:2], 3))
    if channels == 4:
        opaque = np.full_like(array[..., :1], range_of(array.dtype)[1])
        colors = np.concatenate([colors, opaque if alpha is None else alpha], 2)
    return np.ascontiguousarray(colors)


def _gray(colors: Array) -> Array:
    if colors.dtype.kind in "ui":
        gray = (colors.astype(np.int64) * LUMA).sum(2, keepdims=True)
        return ((gray + 2**15) >> 16).astype(colors.dtype)
    return (colors * np.divide(LUMA, 2**16)).sum(2, keepdims=True).astype(colors.dtype)


def _classes(array: Array, count: int, name: str) -> Array:
    wrong = (array < 0) | (array >= count)
    if wrong.any():
        known = f"there are {count}, numbered from 0; correct it, or take more classes"
        raise DataError(f"{name}: class {array[wrong][0]} does not exist, {known}")
    return array.astype(np.uint8)
