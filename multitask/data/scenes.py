"""Pictures and what is known about them: the types of the maps, and what every layout on disk must provide."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors

from inference import DataError
from training.data import Layout

Scene = dict[str, Any]

UNKNOWN_CLASS = 255


class DepthMap(tv_tensors.Mask):  # type: ignore[misc]
    """Depth, 1 x H x W, floating point; 0 where it is unknown. A picture that is magnified shows what is nearer."""


class InverseDepthMap(tv_tensors.Mask):  # type: ignore[misc]
    """Inverse depth or disparity, 1 x H x W, floating point; 0 where it is unknown. Magnified it becomes larger."""


class NormalMap(tv_tensors.Mask):  # type: ignore[misc]
    """Surface normals, 3 x H x W, floating point, x to the right; all zeros where unknown. Mirrored, x is negated."""


class Scenes(Layout):
    """The scenes of one split of a data set, found on disk and read one at a time. Base of the layouts.

    A layout of your own finds the scenes, counts them and reads one.
    """

    @abstractmethod
    def read(self, index: int) -> tuple[Scene, str]:
        """Read a scene and return it with where it is from, for messages; its name follows the last /.

        The scene holds ``image`` (``tv_tensors.Image``, 3 x H x W, floating point in [0, 1]) and the targets by name:
        classes as ``tv_tensors.Mask`` (H x W, integer, 255 where unknown), :class:`DepthMap`,
        :class:`InverseDepthMap`, :class:`NormalMap`, ``tv_tensors.BoundingBoxes`` (M x 4, XYXY in pixels) with their
        classes (M, integer) under the same name and ``_classes``, or tensors that no augmentation touches, such as the
        class of the whole picture (an integer without dimensions). A target that this scene lacks is left out.
        """

    def count_targets(self) -> Mapping[str, int]:
        """Return how many scenes have each target, as far as that is known without reading them all."""
        return {}

    def describe(self) -> str:
        """Describe the split in a few words, with the number of scenes that have each target."""
        targets = ", ".join(f"{target} {count}" for target, count in self.count_targets().items())
        return f"{len(self)} scenes" + (f" ({targets})" if targets else "")

    def __getitem__(self, index: int) -> Scene:
        """Return a scene whose maps fit its image; its ``name`` says where it is from."""
        scene, where = self.read(index)
        check_scene(scene, where)
        return {**scene, "name": where}


def check_scene(scene: Scene, where: str) -> None:
    """Require a scene that cannot spoil a run silently.

    Args:
        scene: as :meth:`Scenes.read` returns it.
        where: it is from.

    Raises:
        DataError: names the place and the target: no image, or one of another shape or type; another size than the
            image's; a depth map without one known value; boxes that are inverted, outside the image or not all classed.
    """
    image = scene.get("image")
    if not isinstance(image, Tensor) or image.dim() != 3 or len(image) != 3 or not image.is_floating_point():
        got = f"{image.dtype} of {_by(image.shape)}" if isinstance(image, Tensor) else "none"
        raise DataError(f"{where}: image must be a floating point tensor 3 x H x W; got {got}")
    height, width = image.shape[-2:]
    for name, target in scene.items():
        if isinstance(target, tv_tensors.Mask) and target.shape[-2:] != (height, width):
            sizes = f"{name} is {_by(target.shape[-2:])} pixels and the image {height} x {width}"
            raise DataError(f"{where}: {sizes}; make them alike")
        if isinstance(target, DepthMap | InverseDepthMap) and not torch.gt(target, 0).any():
            raise DataError(f"{where}: {name} has no value above 0; unknown depth is 0, or leave the map out")
        if isinstance(target, tv_tensors.BoundingBoxes):
            _check_boxes(scene, name, where)


def unknown_value(target: Tensor) -> int | None:
    """Return the value that stands for unknown in targets of this kind; None if there is none."""
    if isinstance(target, DepthMap | InverseDepthMap | NormalMap):
        return 0
    class_of_picture = target.dim() == 0 and not target.is_floating_point()
    return UNKNOWN_CLASS if isinstance(target, tv_tensors.Mask) or class_of_picture else None


def _check_boxes(scene: Scene, name: str, where: str) -> None:
    boxes, classes = scene[name], scene.get(f"{name}_classes")
    height, width = scene["image"].shape[-2:]
    if boxes.format != tv_tensors.BoundingBoxFormat.XYXY or classes is None or classes.shape != boxes.shape[:1]:
        raise DataError(f"{where}: {name} must be XYXY, with one of {name}_classes for each")
    for box in boxes.tolist():
        if not (0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height):
            expected = f"0 <= x1 < x2 <= {width} and 0 <= y1 < y2 <= {height}"
            raise DataError(f"{where}: {name} must have {expected}; got {', '.join(f'{side:g}' for side in box)}")


def _by(shape: torch.Size) -> str:
    return " x ".join(str(side) for side in shape)
