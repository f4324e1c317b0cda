import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors

from multitask.data import DepthMap, NormalMap, Scene, collate


def scene(**changed: object) -> Scene:
    whole: Scene = {
        "image": tv_tensors.Image(torch.rand(3, 4, 6)),
        "labels": tv_tensors.Mask(torch.randint(5, (4, 6))),
        "depth": DepthMap(torch.rand(1, 4, 6) + 1),
        "normals": NormalMap(torch.randn(3, 4, 6)),
        "boxes": tv_tensors.BoundingBoxes(torch.rand(2, 4), format="XYXY", canvas_size=(4, 6)),
        "boxes_classes": torch.tensor([1, 2]),
        "room": torch.tensor(3),
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not None}


def test_scenes_are_stacked_as_plain_tensors() -> None:
    scenes = [scene(), scene()]
    batch = collate(scenes)
    shapes = {name: tuple(value.shape) for name, value in batch.items() if isinstance(value, Tensor)}
    assert shapes == {
        "image": (2, 3, 4, 6),
        "labels": (2, 4, 6),
        "depth": (2, 1, 4, 6),
        "normals": (2, 3, 4, 6),
        "room": (2,),
    }
    assert all(type(value) is Tensor for value in batch.values() if not isinstance(value, list))
    assert torch.equal(batch["depth"][1], scenes[1]["depth"])
    assert [len(boxes) for boxes in batch["boxes"]] == [len(kinds) for kinds in batch["boxes_classes"]] == [2, 2]


def test_what_a_scene_lacks_is_unknown_in_it() -> None:
    batch = collate([scene(), scene(labels=None, depth=None, normals=None, boxes=None, boxes_classes=None)])
    assert (batch["labels"][1] == 255).all()
    assert (batch["depth"][1] == 0).all()
    assert (batch["normals"][1] == 0).all()
    assert [len(boxes) for boxes in batch["boxes"]] == [len(kinds) for kinds in batch["boxes_classes"]] == [2, 0]
    assert batch["boxes"][1].shape == (0, 4)


def test_what_no_scene_knows_is_left_out() -> None:
    nothing = tv_tensors.Mask(torch.full((4, 6), 255))
    batch = collate([scene(labels=nothing, depth=None), scene(labels=None, depth=None)])
    assert {"labels", "depth"} & batch.keys() == set()


def test_what_cannot_be_unknown_must_be_there() -> None:
    with pytest.raises(ValueError, match="room is missing from some scenes of a batch"):
        collate([scene(), scene(room=None)])
