"""From a pair on disk to what the networks see: crop, read, resize, flip, jitter, then scale to [-1, 1]."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Generator, Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from inference import Picture
from inference.pictures import PictureFormat
from inference.sizes import Box, crop, height_width

Side = Literal["input", "target", "both"]
Size = int | tuple[int, int]


class PairTransform:
    """The same geometry for both pictures of a pair, then [-1, 1].

    In training: resize to ``load_size``, cut out ``crop_size`` at a random place, mirror with probability 0.5, change
    the colors of the input. In evaluation: resize to ``crop_size``, nothing random. Without ``load_size`` nothing is
    resized: training cuts out ``crop_size`` at the scale of the files, of which no more is read than that where their
    format allows it, and evaluation takes the middle.

    Args:
        load_size: height and width to resize to, one number for squares; None leaves pictures at their scale.
        crop_size: height and width of what is cut out of that; None takes the whole.
        flip: whether half of the training pairs are mirrored left to right.
        label_maps: which side holds labels and not photographs: resized without mixing colors (nearest neighbor,
            where photographs are resized bicubically).
        color_jitter: how much brightness, contrast and saturation of the input may change: 0.2 is a factor from 0.8
            to 1.2 each.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(
        self,
        load_size: Size | None = 286,
        crop_size: Size | None = 256,
        flip: bool = True,
        label_maps: Side | None = None,
        color_jitter: float = 0.0,
    ) -> None:
        if not 0 <= color_jitter < 1:
            raise ValueError(f"color_jitter must be in [0, 1); got {color_jitter}")
        self.load_size = height_width("load_size", load_size)
        self.crop_size = height_width("crop_size", crop_size)
        if (
            self.load_size
            and self.crop_size
            and any(load < crop for load, crop in zip(self.load_size, self.crop_size, strict=True))
        ):
            raise ValueError(f"crop_size {crop_size} must not be larger than load_size {load_size}")
        self.flip = flip
        self.color_jitter = color_jitter
        self.interpolation = [
            InterpolationMode.NEAREST_EXACT if label_maps in (side, "both") else InterpolationMode.BICUBIC
            for side in ("input", "target")
        ]

    def __call__(
        self, pair: tuple[Picture, Picture], formats: tuple[PictureFormat, PictureFormat], random: Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Read and transform one pair.

        Args:
            pair: input and target, of one size.
            formats: of input and target.
            random: what to draw from in training; None in evaluation.

        Returns:
            Both as float32, C x H x W, in [-1, 1]; NaN where a picture has NaN.

        Raises:
            ValueError: the pair is smaller than ``crop_size`` and ``load_size`` is None; or it cannot be read.
        """
        if self.load_size is not None:
            return self.finish(self.whole(pair, formats, random is not None), formats, random)
        box = self._box(pair[0].size, random)
        values = [format.read(picture, box) for picture, format in zip(pair, formats, strict=True)]
        return self._mirror_and_scale(values, formats, random)

    def whole(
        self, pair: tuple[Picture, Picture], formats: tuple[PictureFormat, PictureFormat], training: bool
    ) -> list[Tensor]:
        """Read and resize one pair: all that is done before anything random.

        Args:
            pair: input and target, of one size.
            formats: of input and target.
            training: whether for training; otherwise for evaluation.

        Returns:
            Both as :meth:`inference.pictures.PictureFormat.read` returns them, C x H x W.

        Raises:
            DataError: a picture cannot be read.
        """
        size = self._size(training)
        values = [format.read(picture) for picture, format in zip(pair, formats, strict=True)]
        if size is None:
            return values
        return [
            resize(each, size, InterpolationMode.NEAREST_EXACT if format.labels is not None else interpolation)
            for each, format, interpolation in zip(values, formats, self.interpolation, strict=True)
        ]

    def finish(
        self, values: Sequence[Tensor], formats: tuple[PictureFormat, PictureFormat], random: Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Do to what :meth:`whole` returned, which stays as it is, all that follows: the same as calling the transform.

        Args:
            values: input and target, for training if there is something to draw from.
            formats: of input and target.
            random: what to draw from in training; None in evaluation.

        Raises:
            ValueError: the pair is smaller than ``crop_size`` and ``load_size`` is None.
        """
        if random is not None or self.load_size is None:
            height, width = values[0].shape[-2:]
            if box := self._box((height, width), random):
                values = [crop(each, box) for each in values]
        return self._mirror_and_scale(values, formats, random)

    def settings(self, training: bool) -> str:
        """Return the options that what :meth:`whole` returns depends on."""
        return f"{self._size(training)} {[interpolation.value for interpolation in self.interpolation]}"

    def _size(self, training: bool) -> tuple[int, int] | None:
        """Return what pictures are resized to, if they are."""
        return self.load_size if training or self.load_size is None else self.crop_size or self.load_size

    def _mirror_and_scale(
        self, values: Sequence[Tensor], formats: tuple[PictureFormat, PictureFormat], random: Generator | None
    ) -> tuple[Tensor, Tensor]:
        source, target = values
        if random is not None:
            if self.flip and torch.rand((), generator=random) < 0.5:
                source, target = source.flip(-1), target.flip(-1)
            if self.color_jitter:
                source = self._jitter(source, random)
        return formats[0].to_network(source), formats[1].to_network(target)

    def _box(self, size: tuple[int, int], random: Generator | None) -> Box | None:
        return None if self.crop_size is None else self._place(size, self.crop_size, random)

    def _place(self, size: tuple[int, int], crop: tuple[int, int], random: Generator | None) -> Box:
        (height, width), (crop_height, crop_width) = size, crop
        if height < crop_height or width < crop_width:
            raise ValueError(
                f"{height} x {width} pixels (height x width), smaller than crop_size {crop_height} x {crop_width}: "
                "lower crop_size or set load_size"
            )
        if random is None:
            return Box((height - crop_height) // 2, (width - crop_width) // 2, *crop)
        top = int(torch.randint(height - crop_height + 1, (), generator=random))
        left = int(torch.randint(width - crop_width + 1, (), generator=random))
        return Box(top, left, *crop)

    def _jitter(self, picture: Tensor, random: Generator) -> Tensor:
        brightness, contrast, saturation = 1 + self.color_jitter * (2 * torch.rand(3, generator=random) - 1)
        picture = F.adjust_brightness(picture, float(brightness))
        picture = F.adjust_contrast(picture, float(contrast))
        return F.adjust_saturation(picture, float(saturation))


def resize(values: Tensor, size: tuple[int, int], interpolation: InterpolationMode) -> Tensor:
    """Resize C x H x W, uint8 or in [0, 1], to height and width."""
    if values.shape[-2:] == size:
        return values
    resized: Tensor = F.resize(values, list(size), interpolation)
    return resized.clamp(0, 1) if resized.is_floating_point() else resized  # bicubic weights reach beyond the range
