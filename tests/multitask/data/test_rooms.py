import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet
from torch.testing import assert_close
from torch.utils.data import DataLoader
from torchvision import tv_tensors

from multitask.data import ROOM_CLASSES, DataError, DepthMap, NormalMap, Rooms, collate
from multitask.data.rooms import FILE


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, Any]]:
    return {row["scene"]: row for row in parquet.read_table(FILE).to_pylist()}


def test_every_room_is_in_one_split() -> None:
    splits = {split: Rooms(None, split) for split in ("train", "val", "test")}
    assert {split: len(rooms) for split, rooms in splits.items()} == {"train": 360, "val": 40, "test": 100}
    names = [rooms.read(index)[1] for rooms in splits.values() for index in range(0, len(rooms), 20)]
    assert len(set(names)) == len(names)
    assert sorted(number for rooms in splits.values() for number in rooms.numbers) == list(range(500))


def test_the_checkpoint_is_not_chosen_on_test_rooms() -> None:
    val, test = Rooms(None, "val"), Rooms(None, "test")
    assert [val[index]["name"] for index in (0, 39)] == ["rooms.parquet/train-0009", "rooms.parquet/train-0399"]
    assert [test[index]["name"] for index in (0, 99)] == ["rooms.parquet/test-0000", "rooms.parquet/test-0099"]


def test_a_room(rows: dict[str, dict[str, Any]]) -> None:
    scene = Rooms(None, "train")[9]
    assert scene.pop("name") == "rooms.parquet/train-0010"
    row = rows["train-0010"]
    types = {"image": tv_tensors.Image, "labels": tv_tensors.Mask, "depth": DepthMap, "normals": NormalMap}
    assert all(type(scene[name]) is kind for name, kind in types.items())
    assert {name: (tuple(value.shape), value.dtype) for name, value in scene.items()} == {
        "image": ((3, 96, 128), torch.float32),
        "labels": ((96, 128), torch.int64),
        "depth": ((1, 96, 128), torch.float32),
        "normals": ((3, 96, 128), torch.float32),
        "boxes": ((len(row["boxes"]), 4), torch.float32),
        "boxes_classes": ((len(row["boxes"]),), torch.int64),
    }
    stored = {name: np.array(Image.open(io.BytesIO(row[name]))) for name in ("image", "label", "depth", "normal")}
    assert_close(scene["image"][:, 5, 7] * 255, torch.tensor(stored["image"][5, 7], dtype=torch.float32))
    assert scene["labels"][50, 60] == stored["label"][50, 60]
    assert_close(scene["depth"][0, 50, 60].item(), stored["depth"][50, 60] / 1000)  # metres
    normal = (stored["normal"][50, 60].astype(np.float32) - 128) / 127
    assert_close(scene["normals"][:, 50, 60], torch.from_numpy(normal), atol=0.01, rtol=0)
    assert_close(scene["normals"].square().sum(0), torch.ones(96, 128))
    assert scene["boxes"].tolist() == row["boxes"]
    assert scene["boxes_classes"].tolist() == row["classes"]


def test_floors_are_below_and_look_up() -> None:
    """Names, classes and axes agree with each other."""
    scene = Rooms(None, "val")[0]
    floor = scene["labels"] == ROOM_CLASSES.index("floor")
    assert floor[-1].float().mean() > floor[0].float().mean()
    assert scene["normals"][1][floor].min() > 0.85


def test_a_copy_holds_numbers_and_no_pictures() -> None:
    sent = pickle.dumps(Rooms(None, "test"))
    assert len(sent) < 2000
    assert_close(pickle.loads(sent)[3]["depth"], Rooms(None, "test")[3]["depth"])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_workers_read_the_same_rooms() -> None:
    rooms = torch.utils.data.Subset(Rooms(None, "val"), range(8))
    loaders: list[DataLoader[Any]] = [DataLoader(rooms, 4, num_workers=n, collate_fn=collate) for n in (0, 2)]
    for one, other in zip(*loaders, strict=True):
        assert one["name"] == other["name"]
        assert torch.equal(one["normals"], other["normals"])
        assert len(one["boxes"]) == 4


def test_other_splits_are_refused() -> None:
    with pytest.raises(DataError, match=r"the rooms have the splits train, val and test; got 'validation'"):
        Rooms(None, "validation")
