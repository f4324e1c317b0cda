"""Pictures with what is known of them: the types of the maps, and what every layout on disk has to give."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

Scene = dict[str, Any]


class DepthMap(tv_tensors.Mask):  # type: ignore[misc]
    """Depth, 1 x H x W, floating point; 0 where it is unknown. A picture that is magnified shows what is nearer."""


class InverseDepthMap(tv_tensors.Mask):  # type: ignore[misc]
    """Inverse depth or disparity, 1 x H x W, floating point; 0 where it is unknown. Magnified it becomes larger."""


class NormalMap(tv_tensors.Mask):  # type: ignore[misc]
    """Surface normals, 3 x H x W, floating point, x to the right; all zeros where unknown. Mirrored, x is negated."""


class Scenes(Dataset[Scene], ABC):
    """Base of the layouts on disk. A layout of your own gives its length and reads a scene; see :meth:`read`."""

    @abstractmethod
    def __len__(self) -> int:
        """Count the scenes."""

    @abstractmethod
    def read(self, index: int) -> tuple[Scene, str]:
        """Read a scene, and say where it is from, for messages.

        The scene holds ``image`` (``tv_tensors.Image``, 3 x H x W, floating point in [0, 1]) and the targets by name:
        classes as ``tv_tensors.Mask`` (H x W, integer), :class:`DepthMap`, :class:`InverseDepthMap`,
        :class:`NormalMap`, ``tv_tensors.BoundingBoxes``, or tensors that no augmentation touches. A target that this
        scene does not have is left out.
        """

    def __getitem__(self, index: int) -> Scene:
        """Give a scene whose maps fit its image."""
        scene, where = self.read(index)
        check_scene(scene, where)
        return scene


def check_scene(scene: Scene, where: str) -> None:
    """Refuse what would spoil a training without a word.

    Args:
        scene: as :meth:`Scenes.read` gives it.
        where: it is from.

    Raises:
        ValueError: names the place and the target: another size than the image's, a depth map without one known value,
            boxes that are inverted or outside the image.
    """
    size = scene["image"].shape[-2:]
    for name, target in scene.items():
        if isinstance(target, tv_tensors.Mask) and target.shape[-2:] != size:
            raise ValueError(f"{where}: {name} is {_by(target)} pixels and the image {_by(scene['image'])}")
        if isinstance(target, DepthMap | InverseDepthMap) and not torch.gt(target, 0).any():
            raise ValueError(f"{where}: {name} has no value above 0; unknown depth is 0, or leave the map out")
        if isinstance(target, tv_tensors.BoundingBoxes):
            low, high = target[:, :2], target[:, 2:]
            inside = (low >= 0).all() and (high <= torch.tensor([size[1], size[0]])).all()
            if not inside or not (low < high).all():
                raise ValueError(f"{where}: {name} must have 0 <= x1 < x2 <= {size[1]} and 0 <= y1 < y2 <= {size[0]}")


def _by(picture: Tensor) -> str:
    return " x ".join(str(side) for side in picture.shape[-2:])
