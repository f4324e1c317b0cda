"""Augmentation of scenes: one geometry for the image and all that is known of it."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from multitask.data.scenes import DepthMap, InverseDepthMap, NormalMap, Scene

LEAST_LEFT = 0.25  # of the area of a box, for it to stay


class RandomScaleCropFlip:
    """Magnify a random part of a scene to its whole size, and mirror half of them, as MTAN does (Liu et al. 2019).

    A part that is magnified s times is s times as near: depth is divided by s, inverse depth multiplied. Mirrored
    normals have their x negated. Classes, depth and normals are taken from the nearest pixel, never mixed. Boxes move
    along and end at the border; those of whose area less than a quarter is left are dropped, with their entries in what
    the scene holds under the name of the boxes and ``_classes``: of a sliver nobody could tell what it is.

    Args:
        scales: of which s is drawn, each at least 1.
        flip: the probability of mirroring, in [0, 1].

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(self, scales: Sequence[float] = (1.0, 1.2, 1.5), flip: float = 0.5) -> None:
        if not scales or not all(scale >= 1 for scale in scales):
            raise ValueError(f"scales must be one or more numbers of at least 1; got {list(scales)}")
        if not 0 <= flip <= 1:
            raise ValueError(f"flip must be in [0, 1]; got {flip}")
        self.scales = tuple(scales)
        self.flip = flip

    def __call__(self, scene: Scene, generator: Generator) -> Scene:
        """Give the scene as the generator draws it."""
        height, width = scene["image"].shape[-2:]
        scale = self.scales[int(torch.randint(len(self.scales), (), generator=generator))]
        size = (round(height / scale), round(width / scale))
        top = int(torch.randint(height - size[0] + 1, (), generator=generator))
        left = int(torch.randint(width - size[1] + 1, (), generator=generator))
        mirror = bool(torch.rand((), generator=generator) < self.flip)

        moved = {}
        for name, value in scene.items():
            if isinstance(value, tv_tensors.TVTensor) and scale != 1:
                if isinstance(value, tv_tensors.BoundingBoxes):
                    value = tv_tensors.wrap(value.float(), like=value)  # of integers they would be rounded
                value = F.resized_crop(value, top, left, *size, [height, width], InterpolationMode.BILINEAR)
                value = _rescaled(value, scale)
            moved[name] = _mirrored(value) if mirror else value
            if isinstance(value, tv_tensors.BoundingBoxes):
                # Resizing, and the difference of width and corner, leave them up to 1e-5 outside of the image.
                moved[name] = F.clamp_bounding_boxes(moved[name])
        for name, boxes in scene.items():
            if isinstance(boxes, tv_tensors.BoundingBoxes):
                magnified = (height / size[0]) * (width / size[1])
                _drop_slivers(moved, name, LEAST_LEFT * magnified * _area(boxes))
        return moved


def _rescaled(value: Tensor, scale: float) -> Tensor:
    if isinstance(value, DepthMap):
        return tv_tensors.wrap(value / scale, like=value)
    return tv_tensors.wrap(value * scale, like=value) if isinstance(value, InverseDepthMap) else value


def _mirrored(value: object) -> object:
    if not isinstance(value, tv_tensors.TVTensor):
        return value
    mirrored = F.horizontal_flip(value)
    if isinstance(value, NormalMap):
        mirrored = tv_tensors.wrap(mirrored * torch.tensor([-1.0, 1.0, 1.0]).view(3, 1, 1), like=value)
    return mirrored


def _area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).as_subclass(Tensor).clamp_min(0).prod(1)


def _drop_slivers(scene: Scene, name: str, least_areas: Tensor) -> None:
    boxes = scene[name]
    large = _area(boxes) >= least_areas * (1 - 1e-5)  # a box that just fits is not lost to rounding
    scene[name] = tv_tensors.wrap(boxes[large], like=boxes)
    if f"{name}_classes" in scene:
        scene[f"{name}_classes"] = scene[f"{name}_classes"][large]
