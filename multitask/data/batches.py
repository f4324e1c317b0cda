"""From scenes to batches, also where some scenes lack what others have."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision import tv_tensors

from multitask.data.scenes import DepthMap, InverseDepthMap, NormalMap, Scene

UNKNOWN_CLASS = 255


def collate(scenes: Sequence[Scene]) -> Scene:
    """Stack the scenes of a batch; what a scene lacks is unknown in it, and what no scene knows is left out.

    Unknown are classes of 255, depths of 0 and normals of zeros. So a task without a label in the whole batch has no
    target in it: it is absent there.

    Args:
        scenes: one or more, as a layout gives them or an augmentation leaves them.

    Returns:
        Tensors by name, N x ...; boxes, and what is there for each of them (``boxes_classes``), as lists of N tensors.

    Raises:
        ValueError: a scene lacks a target that has no way to be unknown.
    """
    batch: Scene = {}
    for name in dict.fromkeys(name for scene in scenes for name in scene):
        values = [scene.get(name) for scene in scenes]
        example = next(value for value in values if value is not None)
        if isinstance(example, tv_tensors.BoundingBoxes) or _belongs_to_boxes(name, scenes):
            batch[name] = [example[:0] if value is None else value for value in values]
            batch[name] = [value.as_subclass(Tensor) for value in batch[name]]
            continue
        stacked = torch.stack([_unknown_like(example, name) if value is None else value for value in values])
        stacked = stacked.as_subclass(Tensor)
        unknown = _unknown_value(example)
        if unknown is None or not (stacked == unknown).all():
            batch[name] = stacked
    return batch


def _belongs_to_boxes(name: str, scenes: Sequence[Scene]) -> bool:
    boxes = name.removesuffix("_classes")
    return boxes != name and any(isinstance(scene.get(boxes), tv_tensors.BoundingBoxes) for scene in scenes)


def _unknown_value(example: Tensor) -> int | None:
    if isinstance(example, DepthMap | InverseDepthMap | NormalMap):
        return 0
    return UNKNOWN_CLASS if isinstance(example, tv_tensors.Mask) else None


def _unknown_like(example: Tensor, name: str) -> Tensor:
    unknown = _unknown_value(example)
    if unknown is None:
        raise ValueError(f"{name} is missing from some scenes of a batch, and there is no value that means unknown")
    return torch.full_like(example, unknown)
