"""From scenes to batches, even if some scenes lack targets that others have."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors

from inference import DataError
from multitask.data.scenes import Scene, unknown_value
from multitask.data.transforms import pad_scene


def collate(scenes: Sequence[Scene], pad: bool = False) -> Scene:
    """Stack the scenes of a batch; what a scene lacks is unknown in it, and what no scene knows is left out.

    Unknown are classes of 255 (of pixels and of whole pictures), depths of 0 and normals of zeros. So a task without a
    label in the whole batch has no target in it: it is absent there.

    Args:
        scenes: one or more, as a layout or an augmentation returns them.
        pad: whether scenes are padded to the height of the highest and the width of the widest: the image with black,
            targets with what is unknown.

    Returns:
        Tensors by name, N x ...; ``name``, a list of N strings; boxes as a list of N dictionaries as torchvision's
        detectors take them, ``boxes`` (M x 4, float32, XYXY in pixels) and ``labels`` (M, int64), or None for a scene
        whose boxes are unknown. A scene known to have none has M = 0.

    Raises:
        DataError: names the scenes: one lacks its image, or a target that has no way to be unknown, or their sizes
            differ.
    """
    names = [scene.get("name", f"scene {number} of a batch") for number, scene in enumerate(scenes)]
    for name, scene in zip(names, scenes, strict=True):
        if "image" not in scene:
            raise DataError(f"{name}: there is no image")
    if pad:
        sides = [max(sides) for sides in zip(*(scene["image"].shape[-2:] for scene in scenes), strict=True)]
        scenes = [pad_scene(scene, (sides[0], sides[1])) for scene in scenes]
    batch: Scene = {"name": names}
    for key in dict.fromkeys(key for scene in scenes for key in scene if key != "name"):
        values = [scene.get(key) for scene in scenes]
        example = next(value for value in values if value is not None)
        if isinstance(example, tv_tensors.BoundingBoxes):
            batch[key] = [_boxes_of(scene, key) for scene in scenes]
        elif not _belongs_to_boxes(key, scenes):
            stacked = _stack(key, values, example, names)
            unknown = unknown_value(example)
            if unknown is None or not (stacked == unknown).all():
                batch[key] = stacked
    return batch


def _boxes_of(scene: Scene, key: str) -> dict[str, Tensor] | None:
    if key not in scene:
        return None
    return {"boxes": scene[key].as_subclass(Tensor).float(), "labels": scene[f"{key}_classes"].long()}


def _belongs_to_boxes(key: str, scenes: Sequence[Scene]) -> bool:
    boxes = key.removesuffix("_classes")
    return boxes != key and any(isinstance(scene.get(boxes), tv_tensors.BoundingBoxes) for scene in scenes)


def _stack(key: str, values: list[Any], example: Tensor, names: list[str]) -> Tensor:
    unknown = unknown_value(example)
    for name, value in zip(names, values, strict=True):
        if value is None and unknown is None:
            raise DataError(f"{name}: there is no {key}, other scenes have one, and no value of it means unknown")
        if value is not None and value.shape != example.shape:
            first = names[next(number for number, other in enumerate(values) if other is not None)]
            raise DataError(
                f"{name}: {key} is {_by(value)}, and that of {first} {_by(example)}; "
                "the scenes of a batch must have one size: set the data's resize, or pad"
            )
    filled = [torch.full_like(example, unknown or 0) if value is None else value for value in values]
    return torch.stack(filled).as_subclass(Tensor)


def _by(value: Tensor) -> str:
    return " x ".join(str(side) for side in value.shape)
