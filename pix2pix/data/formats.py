"""What the pictures of both sides of a data set are, found in its training split and kept in checkpoints."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from inference import DataError, Picture
from inference.pictures import Array, Axes, NaN, PictureFormat, Window
from inference.sizes import Box
from pix2pix.data.pairs import Pairs

Direction = Literal["AtoB", "BtoA"]

UNKNOWN = 0.0  # what the networks see where a pixel is unknown: the middle of [-1, 1]
MEASURED = 200  # pictures at most, spread evenly over the split
PARTS = 800  # of all pictures together, about
PART = 128  # the side of a part of a large picture
PERCENTILES = (0.1, 99.9)


class Values(NamedTuple):
    """The options of one side.

    Attributes:
        side: input or target.
        channels: that the network sees, at least 1.
        window: the lowest and the highest value, or auto.
        labels: the number of classes of a label map, at least 2, or None.
        nan: what pixels that are NaN mean.

    Raises:
        ValueError: by :meth:`check`, an option outside its range.
    """

    side: str
    channels: int
    window: Window | Literal["auto"]
    labels: int | None
    nan: NaN

    def check(self) -> "Values":
        """Return the options if they are in their ranges."""
        if self.channels < 1:
            raise ValueError(f"{self.side}_channels must be at least 1; got {self.channels}")
        if self.window != "auto" and not self.window[0] < self.window[1]:
            raise ValueError(f"{self.side}_window must be [low, high] with low < high; got {list(self.window)}")
        if self.labels is not None and not 2 <= self.labels <= 256:
            raise ValueError(f"{self.side}_labels must be from 2 to 256; got {self.labels}")
        return self

    def check_against(self, format: PictureFormat) -> None:
        """Require options that do not contradict the format that a model was trained with.

        Raises:
            ValueError: one does.
        """
        given: dict[str, Any] = {"channels": self.labels or self.channels, "labels": self.labels}
        if self.window != "auto":
            given["window"] = tuple(self.window)
        for name, value in given.items():
            if value != (trained := getattr(format, name)):
                raise ValueError(f"data.{self.side}_{name} is {value}, but the checkpoint was trained with {trained}")


class PairFormats(NamedTuple):
    """The formats of input and target.

    Attributes:
        input: of the pictures that are translated.
        target: of what they become.
        axes: how the files' arrays lie.
        stack: the folders whose pictures are stacked to an input, if there are several.
        neighbors: where inputs are slices of stacks, how many slices on either side are channels too.
        clipped: of input and target, the share of numbers outside of the window that was seen in training.
    """

    input: PictureFormat
    target: PictureFormat
    axes: Axes = "auto"
    stack: tuple[str, ...] = ()
    neighbors: int | None = None
    clipped: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of_networks(cls, in_channels: int, out_channels: int) -> Self:
        """Return formats of 8 bits, for networks of which no more is known than their channels."""
        return cls(PictureFormat(in_channels), PictureFormat(out_channels))

    @classmethod
    def find(cls, pairs: Pairs, direction: Direction, values: tuple[Values, Values]) -> Self:
        """Find out what a training split holds.

        Args:
            pairs: the training pairs.
            direction: which of A and B is the input.
            values: the options of input and target.

        Raises:
            DataError: a picture cannot be read, or does not fit the options.
        """
        if pairs.neighbors is not None and direction == "BtoA":
            raise DataError("direction BtoA: in stacks A has the neighboring slices; exchange folder_a and folder_b")
        first = directed(pairs.read(0), direction)
        formats, clipped = [], []
        for side, (picture, options) in enumerate(zip(first, values, strict=True)):
            format = PictureFormat(
                options.labels or options.channels,
                picture.dtype.name,
                None if options.window == "auto" else options.window,
                options.labels,
                options.nan,
            )
            share = 0.0
            if options.labels is None and (format.window is not None or picture.dtype.kind == "f"):
                numbers = _numbers(pairs, direction, side, format)
                if format.window is None:
                    format = format._replace(window=_percentiles(numbers, options.side))
                share = format.clipped(numbers) / max(numbers.size, 1)
            formats.append(format)
            clipped.append(share)
        stack = directed(pairs.stacks, direction)[0]
        return cls(formats[0], formats[1], pairs.axes, stack, pairs.neighbors, (clipped[0], clipped[1]))

    def check(self, source: Picture, target: Picture) -> None:
        """Require pictures whose numbers mean what those of the training split do.

        Raises:
            DataError: the target is of another dtype; or so is the input, and one of them has no range of its own.
        """
        for picture, format, written in (source, self.input, False), (target, self.target, True):
            if picture.dtype.name == format.dtype or format.labels is not None:
                continue
            if written or "float" in picture.dtype.name + format.dtype or format.window is not None:
                raise DataError(
                    f"{picture.name}: {picture.dtype}, where the training pictures hold {format.dtype}; save them alike"
                )

    def describe(self) -> list[str]:
        """Return a line for each side whose window is not the whole range of its integers."""
        return [
            f"{side}: {format.dtype}, {format.range[0]:g} to {format.range[1]:g} become -1 to 1"
            + (f", {share:.2%} of the training values are clipped" if share else "")
            for side, format, share in zip(("input", "target"), self[:2], self.clipped, strict=True)
            if format.window is not None
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the formats as a checkpoint keeps them."""
        return {**self._asdict(), "input": self.input._asdict(), "target": self.target._asdict()}

    @classmethod
    def of(cls, known: Mapping[str, Any]) -> Self:
        """Return the formats that a checkpoint keeps."""
        input, target = (PictureFormat.of(known[side]) for side in ("input", "target"))
        return cls(input, target, known["axes"], tuple(known["stack"]), known["neighbors"], tuple(known["clipped"]))


def directed(pair: tuple[Any, Any], direction: Direction) -> tuple[Any, Any]:
    """Return A and B as input and target."""
    return pair if direction == "AtoB" else (pair[1], pair[0])


def _numbers(pairs: Pairs, direction: Direction, side: int, format: PictureFormat) -> Array:
    """Return numbers of a side's pictures, a sample of the split; NaN left out.

    Of a large picture they are those of small parts, spread evenly: it may be larger than memory.
    """
    count = min(len(pairs), MEASURED)
    across = min(max(round((PARTS / count) ** 0.5), 2), 16)
    samples = []
    for index in range(count):
        picture = directed(pairs.read(index * len(pairs) // count), direction)[side]
        for box in _spread(picture.size, across):
            numbers = picture.read(box).ravel()
            samples.append(numbers[~np.isnan(numbers)] if numbers.dtype.kind == "f" else numbers)
    return np.concatenate(samples)


def _spread(size: tuple[int, int], across: int) -> list[Box]:
    """Return a grid of parts of a picture, or all of it where they would be as much."""
    if max(size) <= across * PART:
        return [Box(0, 0, *size)]
    rows, columns = (
        [(side - min(PART, side)) * place // (across - 1) for place in range(across)] if side > PART else [0]
        for side in size
    )
    return [Box(top, left, min(PART, size[0]), min(PART, size[1])) for top in rows for left in columns]


def _percentiles(numbers: Array, side: str) -> Window:
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        raise DataError(f"{side}_window: the training pictures hold no finite number; replace them")
    low, high = (float(value) for value in np.percentile(finite, PERCENTILES))
    if not low < high:
        raise DataError(f"{side}_window: almost all numbers of the training pictures are {low:g}; set the window")
    return low, high
