"""Augmentation and sizes of scenes: one geometry for the image and all that is known of it."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from inference.sizes import Size
from multitask.data.scenes import DepthMap, InverseDepthMap, NormalMap, Scene, unknown_value

LEAST_LEFT = 0.25  # of the area of a box, for it to stay


class RandomScaleCropFlip:
    """Magnify a random part of a scene to its whole size, and mirror half of them, as MTAN does (Liu et al. 2019).

    A part that is magnified s times is s times as near: depth is divided by s, inverse depth multiplied. Mirrored
    normals have their x negated. Classes, depth and normals are taken from the nearest pixel, never mixed. Boxes move
    along and end at the border; those of whose area less than a quarter is left are dropped, with their entries in what
    the scene holds under the name of the boxes and ``_classes``: nobody could tell what a sliver shows.

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
        """Return the scene, augmented with numbers drawn from the generator."""
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


def resize_scene(scene: Scene, size: Size) -> Scene:
    """Return a scene at another size: the image interpolated, the maps from the nearest pixels, and boxes scaled.

    Depths stay: the picture shows what it has shown.
    """
    return {name: _resized(value, size) for name, value in scene.items()}


def resize_image(images: Tensor, size: Size) -> Tensor:
    """Return images ... x 3 x H x W at another size, interpolated bilinearly, and averaged where they shrink."""
    return F.resize(images, list(size), InterpolationMode.BILINEAR, antialias=True)


def _resized(value: object, size: Size) -> object:
    if isinstance(value, tv_tensors.Image):
        return resize_image(value, size)
    if isinstance(value, tv_tensors.BoundingBoxes):
        return F.clamp_bounding_boxes(F.resize(tv_tensors.wrap(value.float(), like=value), list(size)))
    if isinstance(value, tv_tensors.Mask):
        rows, columns = (
            ((torch.arange(new) + 0.5) * old / new).long() for new, old in zip(size, value.shape[-2:], strict=True)
        )
        return tv_tensors.wrap(value[..., rows.unsqueeze(1), columns], like=value)
    return value


def pad_scene(scene: Scene, size: Size) -> Scene:
    """Return a scene extended at the bottom and at the right: the image by black, and the maps by what is unknown.

    By black and not by a reflection, in which objects would be that no box says.
    """
    height, width = scene["image"].shape[-2:]
    padding = [0, 0, size[1] - width, size[0] - height]
    return {
        name: F.pad(value, padding, fill=unknown_value(value) or 0) if isinstance(value, tv_tensors.TVTensor) else value
        for name, value in scene.items()
    }
