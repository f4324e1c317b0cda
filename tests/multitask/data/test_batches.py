import pytest
import torch
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor
from torchvision import tv_tensors

from multitask.data import DataError, DepthMap, NormalMap, Scene, collate


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
    assert batch["name"] == ["scene 0 of a batch", "scene 1 of a batch"]
    assert torch.equal(batch["depth"][1], scenes[1]["depth"])


def test_what_a_scene_lacks_is_unknown_in_it() -> None:
    batch = collate([scene(), scene(labels=None, depth=None, normals=None, boxes=None, boxes_classes=None)])
    assert (batch["labels"][1] == 255).all()
    assert (batch["depth"][1] == 0).all()
    assert (batch["normals"][1] == 0).all()
    assert [boxes is None for boxes in batch["boxes"]] == [False, True]


def test_boxes_come_as_detectors_take_them() -> None:
    none = tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=(4, 6))
    whole = tv_tensors.BoundingBoxes(torch.tensor([[0, 1, 2, 3], [1, 1, 5, 4]]), format="XYXY", canvas_size=(4, 6))
    empty = scene(boxes=none, boxes_classes=torch.zeros(0, dtype=torch.int64))
    some = scene(boxes=whole, boxes_classes=torch.tensor([1, 2], dtype=torch.uint8))
    batch = collate([some, empty, scene(boxes=None, boxes_classes=None)])
    assert "boxes_classes" not in batch
    assert batch["boxes"][2] is None  # unknown, which is not the same as none
    for boxes, count in zip(batch["boxes"], (2, 0), strict=False):
        assert type(boxes["boxes"]) is Tensor
        assert (boxes["boxes"].shape, boxes["boxes"].dtype) == ((count, 4), torch.float32)
        assert (boxes["labels"].shape, boxes["labels"].dtype) == ((count,), torch.int64)
    assert batch["boxes"][0]["boxes"].tolist() == [[0, 1, 2, 3], [1, 1, 5, 4]]
    assert batch["boxes"][0]["labels"].tolist() == [1, 2]
    assert "boxes" not in collate([scene(boxes=None, boxes_classes=None)])


def test_a_batch_moves_to_a_device() -> None:
    moved = move_data_to_device(collate([scene(name="a"), scene(boxes=None, boxes_classes=None)]), torch.device("meta"))
    assert moved["boxes"][0]["labels"].device.type == moved["depth"].device.type == "meta"
    assert moved["boxes"][1] is None
    assert moved["name"] == ["a", "scene 1 of a batch"]


def test_the_class_of_a_picture_may_be_unknown() -> None:
    assert collate([scene(), scene(room=None)])["room"].tolist() == [3, 255]
    assert "room" not in collate([scene(room=torch.tensor(255)), scene(room=None)])


def test_what_no_scene_knows_is_left_out() -> None:
    nothing = tv_tensors.Mask(torch.full((4, 6), 255))
    batch = collate([scene(labels=nothing, depth=None), scene(labels=None, depth=None)])
    assert {"labels", "depth"} & batch.keys() == set()


def test_scenes_of_unlike_sizes_are_padded_to_the_largest_sides() -> None:
    small = scene(
        image=tv_tensors.Image(torch.ones(3, 2, 8)),
        labels=tv_tensors.Mask(torch.ones(2, 8, dtype=torch.int64)),
        depth=DepthMap(torch.ones(1, 2, 8)),
        normals=NormalMap(torch.ones(3, 2, 8)),
    )
    whole = scene()
    batch = collate([whole, small], pad=True)
    assert batch["image"].shape == (2, 3, 4, 8)
    for key, unknown in ("image", 0), ("labels", 255), ("depth", 0), ("normals", 0):
        assert torch.equal(batch[key][0, ..., :6], whole[key].as_subclass(Tensor))
        assert (batch[key][0, ..., 6:] == unknown).all()
        assert (batch[key][1, ..., :2, :] == 1).all()
        assert (batch[key][1, ..., 2:, :] == unknown).all()
    assert torch.equal(batch["boxes"][0]["boxes"], whole["boxes"].as_subclass(Tensor))
    assert batch["room"].tolist() == [3, 3]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image": None}, "^second: there is no image$"),
        (
            {"image": torch.rand(3, 5, 6), "labels": None, "depth": None, "normals": None},
            "^second: image is 3 x 5 x 6, and that of first 3 x 4 x 6; the scenes of a batch must have one size: set "
            "the data's resize, or pad$",
        ),
        ({"focal": None}, "^second: there is no focal, other scenes have one, and no value of it means unknown$"),
    ],
)
def test_scenes_that_do_not_fit_together_are_named(changed: dict[str, object], message: str) -> None:
    scenes = [
        scene(name="first", focal=torch.tensor(1.5)),
        scene(**{"name": "second", "focal": torch.tensor(1.5)} | changed),
    ]
    with pytest.raises(DataError, match=message):
        collate(scenes)
