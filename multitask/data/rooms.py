"""The rendered rooms that come with this package."""

import functools
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torchvision import tv_tensors

from inference import DataError
from multitask.data.files import read_depth, read_image, read_labels, read_normals
from multitask.data.scenes import DepthMap, Scene, Scenes

FILE = Path(__file__).with_name("rooms.parquet")
ROOM_CLASSES = (
    "bed",
    "books",
    "ceiling",
    "chair",
    "floor",
    "furniture",
    "objects",
    "painting",
    "sofa",
    "table",
    "tv",
    "wall",
    "window",
)  # NYUv2's thirteen
METERS = 0.001  # in a step of the stored depth


class Rooms(Scenes):
    """500 path-traced rooms of 128 x 96 pixels, all of whose targets are exact and known everywhere.

    The targets: ``labels``, of the 13 classes named in ``ROOM_CLASSES``; ``depth`` in metres along the optical axis;
    ``normals``, x to the right, y up, z towards the viewer; ``boxes`` of what is visible of each piece of furniture,
    and their ``boxes_classes``.

    Of the 400 rooms made for training every tenth is for validation (those whose number ends in 9): train has 360 rooms
    and val 40, furnished with the same models. The 100 rooms of test have other furniture, so expect less of them.

    Args:
        root: None: they come with this package.
        split: train, val or test.

    Raises:
        DataError: another split, or a root.
    """

    def __init__(self, root: None, split: str) -> None:
        if root is not None:
            raise DataError(f"the rooms come with this package; leave the data's root out, or set layout for {root}")
        if split not in ("train", "val", "test"):
            raise DataError(f"the rooms have the splits train, val and test; got {split!r}")
        self.numbers = [number for number, room in enumerate(_rooms()) if _split_of(room) == split]

    def __len__(self) -> int:
        """Return the number of rooms."""
        return len(self.numbers)

    def count_targets(self) -> Mapping[str, int]:
        """Return the number of rooms for each target."""
        return dict.fromkeys(("labels", "depth", "normals", "boxes"), len(self))

    def read(self, index: int) -> tuple[Scene, str]:
        """Decode a room."""
        room = _rooms()[self.numbers[index]]
        where = f"{FILE.name}/{room['scene']}"
        image = read_image(io.BytesIO(room["image"]), where)
        boxes = torch.tensor(room["boxes"], dtype=torch.float32).view(-1, 4)
        scene: Scene = {
            "image": image,
            "labels": read_labels(io.BytesIO(room["label"]), where),
            "depth": DepthMap(read_depth(io.BytesIO(room["depth"]), where, METERS)),
            "normals": read_normals(io.BytesIO(room["normal"]), where),
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=image.shape[-2:]),
            "boxes_classes": torch.tensor(room["classes"], dtype=torch.int64),
        }
        return scene, where


def _split_of(room: dict[str, Any]) -> str:
    """The file's split, but for the rooms of training that are held out."""
    return "val" if room["split"] == "train" and room["scene"].endswith("9") else room["split"]


@functools.cache  # once in a process: the splits share it, and worker processes are sent numbers, not pictures
def _rooms() -> list[dict[str, Any]]:
    """All rooms, their pictures still encoded: ten megabytes."""
    from pyarrow import parquet  # here: it is large, and other layouts do without

    return parquet.read_table(FILE, use_threads=False).to_pylist()
