"""From a decoded pair to what the networks see: resize, crop, flip and jitter on uint8, then scale to [-1, 1]."""

from typing import Literal

import torch
from torch import Generator, Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

Side = Literal["input", "target", "both"]
Size = int | tuple[int, int]


class PairTransform:
    """The same geometry for both pictures of a pair, then [-1, 1].

    In training: resize to ``load_size``, cut out ``crop_size`` at a random place, mirror with probability 0.5, change
    the colors of the input. In evaluation: resize to ``crop_size``, nothing random.

    Args:
        load_size: height and width to resize to, one number for squares; None leaves pictures as they are.
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
        self.load_size = _height_width("load_size", load_size)
        self.crop_size = _height_width("crop_size", crop_size)
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

    def __call__(self, source: Tensor, target: Tensor, random: Generator | None) -> tuple[Tensor, Tensor]:
        """Transform one pair.

        Args:
            source: the input, uint8, C x H x W.
            target: the picture to become, uint8, C' x H x W.
            random: what to draw from in training; None in evaluation.

        Returns:
            Both as float32 in [-1, 1].

        Raises:
            ValueError: the pair is smaller than ``crop_size`` and ``load_size`` is None.
        """
        pair = [source, target]
        if random is None:
            pair = self._resize(pair, self.crop_size or self.load_size)
        else:
            pair = self._resize(pair, self.load_size)
            pair = self._crop(pair, random)
            if self.flip and torch.rand((), generator=random) < 0.5:
                pair = [F.horizontal_flip(picture) for picture in pair]
            if self.color_jitter:
                pair[0] = self._jitter(pair[0], random)
        source, target = (picture.float().div_(127.5).sub_(1) for picture in pair)
        return source, target

    def _resize(self, pair: list[Tensor], size: tuple[int, int] | None) -> list[Tensor]:
        if size is None or pair[0].shape[-2:] == size:
            return pair
        return [
            F.resize(picture, list(size), interpolation)
            for picture, interpolation in zip(pair, self.interpolation, strict=True)
        ]

    def _crop(self, pair: list[Tensor], random: Generator) -> list[Tensor]:
        if self.crop_size is None:
            return pair
        (height, width), (crop_height, crop_width) = pair[0].shape[-2:], self.crop_size
        if height < crop_height or width < crop_width:
            raise ValueError(
                f"{height} x {width} pixels (height x width), smaller than crop_size {crop_height} x {crop_width}: "
                "lower crop_size or set load_size"
            )
        top = int(torch.randint(height - crop_height + 1, (), generator=random))
        left = int(torch.randint(width - crop_width + 1, (), generator=random))
        return [F.crop(picture, top, left, crop_height, crop_width) for picture in pair]

    def _jitter(self, picture: Tensor, random: Generator) -> Tensor:
        brightness, contrast, saturation = 1 + self.color_jitter * (2 * torch.rand(3, generator=random) - 1)
        picture = F.adjust_brightness(picture, float(brightness))
        picture = F.adjust_contrast(picture, float(contrast))
        return F.adjust_saturation(picture, float(saturation))


def _height_width(name: str, size: Size | None) -> tuple[int, int] | None:
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise ValueError(f"{name} must be at least 1; got {size}")
    return height, width
