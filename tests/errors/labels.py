"""Scenes whose targets do not fit, and lists and tables that cannot be read."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
from pyarrow import parquet

from tests.errors.pictures import encoded, npy
from tests.errors.row import FIT, Row
from tests.multitask.scenes import HEIGHT, WIDTH

TRAIN = Path("data/train")
SCENES = f"multitask {FIT}"
RANDOM = np.random.default_rng(0)


def put(kind: str, content: bytes, name: str = "train00.png") -> Callable[[], None]:
    """A file in the place of that of the first scene."""

    def write() -> None:
        (TRAIN / kind).mkdir(exist_ok=True)
        (TRAIN / kind / "train00.png").unlink(missing_ok=True)
        (TRAIN / kind / name).write_bytes(content)

    return write


def png(dtype: type = np.uint8, shape: tuple[int, ...] = (HEIGHT, WIDTH), most: int = 3) -> bytes:
    return encoded("PNG", RANDOM.integers(0, most, shape).astype(dtype))


def boxes(change: Callable[[Any], object]) -> Callable[[], None]:
    """Change boxes.json."""

    def write() -> None:
        content = json.loads((TRAIN / "boxes.json").read_text())
        change(content)
        (TRAIN / "boxes.json").write_text(json.dumps(content))

    return write


def first_box(**options: Any) -> Callable[[], None]:
    return boxes(lambda content: content["annotations"][0].update(options))


def other_pictures(content: Any) -> None:
    content["annotations"] = []
    for number, picture in enumerate(content["images"]):
        picture["file_name"] = f"other{number}.png"


def text(name: str, content: str | bytes) -> Callable[[], None]:
    def write() -> None:
        (TRAIN / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def flat_arrays() -> None:
    for split in ("train", "val"):
        for number in "01":
            (TRAIN.with_name(split) / "image" / f"{number}.npy").write_bytes(npy(np.zeros((9, 9))))


LABELS = [
    Row("no folder of images", SCENES, "data/train/image", lambda: shutil.rmtree(TRAIN / "image")),
    Row("an unreadable image", SCENES, "image/train00.png", put("image", b"no picture")),
    Row(
        "an image of 5 channels",
        SCENES,
        "image",
        put("image", npy(np.zeros((HEIGHT, WIDTH, 5), np.uint8)), "train00.npy"),
    ),
    Row("a class number beyond the classes", SCENES, "train00", put("labels", png(most=9))),
    Row("labels in colors", SCENES, "labels/train00.png", put("labels", png(shape=(HEIGHT, WIDTH, 3)))),
    Row("labels as JPEG", SCENES, "labels/train00.jpg", put("labels", png(), "train00.jpg")),
    Row("labels of another size", SCENES, "train00", put("labels", png(shape=(HEIGHT, WIDTH + 1)))),
    Row("labels of no image", SCENES, "labels/train99.png", put("labels", png(), "train99.png")),
    Row("labels of 0 bytes", SCENES, "labels/train00.png", put("labels", b"")),
    Row("labels of no scene", SCENES, "task seg", lambda: shutil.rmtree(TRAIN / "labels")),
    Row("depth of 8 bits", SCENES, "depth/train00.png", put("depth", png())),
    Row("depth in colors", SCENES, "depth/train00.png", put("depth", png(shape=(HEIGHT, WIDTH, 3)))),
    Row("depth of 0 meters everywhere", SCENES, "train00", put("depth", png(np.uint16, most=1))),
    Row(
        "depth twice", SCENES, "depth/train00", lambda: (TRAIN / "depth/train00.npy").write_bytes(npy(RANDOM)) and None
    ),
    Row(
        "an array of depth with channels", SCENES, "train00.npy", put("depth", npy(np.zeros((9, 9, 2))), "train00.npy")
    ),
    Row("an array of depth without numbers", SCENES, "train00.npy", put("depth", npy(np.array(["a"])), "train00.npy")),
    Row("a text as an array of depth", SCENES, "train00.npy", put("depth", b"1.5 meters", "train00.npy")),
    Row("half of an array of depth", SCENES, "train00.npy", put("depth", npy(np.zeros((9, 9)))[:200], "train00.npy")),
    Row("normals of 16 bits", SCENES, "normals/train00.png", put("normals", png(np.uint16))),
    Row("depth.json without a unit", SCENES, "depth.json", text("depth.json", "{}")),
    Row("depth.json of another unit", SCENES, "depth.json", text("depth.json", '{"depth_unit": 0.01}')),
    Row("boxes.json that is cut", SCENES, "boxes.json", text("boxes.json", '{"images": [')),
    Row("boxes.json that is empty", SCENES, "boxes.json", text("boxes.json", "")),
    Row("boxes.json that is a list", SCENES, "boxes.json", text("boxes.json", "[]")),
    Row("boxes.json in another encoding", SCENES, "boxes.json", text("boxes.json", b"\xff\xfe\x00")),
    Row("boxes.json without categories", SCENES, "boxes.json", boxes(lambda content: content.pop("categories"))),
    Row("a box of an unknown category", SCENES, "boxes.json", first_box(category_id=9)),
    Row("a box of an unknown picture", SCENES, "boxes.json", first_box(image_id=9)),
    Row("a box of three numbers", SCENES, "boxes.json", first_box(bbox=[1, 2, 3])),
    Row("a box of texts", SCENES, "boxes.json", first_box(bbox=["a", "b", "c", "d"])),
    Row("a box with NaN", SCENES, "train00", first_box(bbox=[float("nan"), 2, 3, 4])),
    Row("a box of negative width", SCENES, "train00", first_box(bbox=[9, 2, -3, 4])),
    Row("a box beyond the picture", SCENES, "train00", first_box(bbox=[2, 2, 300, 4])),
    Row("boxes of other pictures alone", SCENES, "boxes.json", boxes(other_pictures)),
    Row("more classes of boxes than the task has", f"{SCENES} --model.tasks.boxes.init_args.classes 1", "task boxes"),
    Row("classes.csv with other columns", SCENES, "classes.csv", text("classes.csv", "file,label\ntrain00.png,1\n")),
    Row(
        "classes.csv with a text for a class",
        SCENES,
        "classes.csv",
        text("classes.csv", "name,class\ntrain00.png,bath\n"),
    ),
    Row("classes.csv that is a picture", SCENES, "classes.csv", text("classes.csv", encoded("PNG"))),
    Row("classes.csv of other pictures", SCENES, "classes.csv", text("classes.csv", "name,class\nother.png,1\n")),
    Row("no arrays of MTAN's", f"{SCENES} --data.layout multitask.data.MTAN", "data/train/image"),
    Row("an array of MTAN's without channels", f"{SCENES} --data.layout multitask.data.MTAN", "0.npy", flat_arrays),
    Row("rooms with a root", f"{SCENES} --data.layout multitask.data.Rooms", "root"),
    Row("folders without a root", f"{SCENES} --data.root null", "root"),
]

PARQUET = f"pix2pix {FIT} --data.layout pix2pix.data.Parquet"
TABLE = TRAIN / "train.parquet"
PICTURE = encoded("PNG")


def table(**columns: Any) -> Callable[[], None]:
    """Files of the splits that a training needs."""

    def write() -> None:
        parquet.write_table(arrow.table(columns), TABLE)
        parquet.write_table(arrow.table({"a": [PICTURE], "b": [PICTURE]}), TABLE.with_name("val.parquet"))

    return write


def half_table() -> None:
    table(a=[PICTURE] * 2, b=[PICTURE] * 2)()
    TABLE.write_bytes(TABLE.read_bytes()[:-40])


PARQUETS = [
    Row("no file of the split", PARQUET, "train.parquet"),
    Row("a text that is called .parquet", PARQUET, "train.parquet", text("train.parquet", "a,b\n1,2\n")),
    Row("an empty file", PARQUET, "train.parquet", text("train.parquet", "")),
    Row("half of a file", PARQUET, "train.parquet", half_table),
    Row("columns of numbers", PARQUET, "train.parquet", table(a=[1, 2], b=[3, 4])),
    Row("one column of pictures", PARQUET, "train.parquet", table(a=[PICTURE] * 2, b=[3, 4])),
    Row(
        "a column that is not there",
        f"{PARQUET} --data.layout.init_args.column_a photo",
        "photo",
        table(a=[PICTURE], b=[PICTURE]),
    ),
    Row(
        "no rows", PARQUET, "train.parquet", table(a=arrow.array([], arrow.binary()), b=arrow.array([], arrow.binary()))
    ),
    Row("a cell that is empty", PARQUET, "train-000000", table(a=[None, PICTURE], b=[PICTURE, PICTURE])),
    Row("a cell that is no picture", PARQUET, "train-000000", table(a=[b"text", PICTURE], b=[PICTURE, PICTURE])),
    Row(
        "cells of different sizes",
        PARQUET,
        "train-000000",
        table(a=[encoded("PNG", np.zeros((4, 4, 3), np.uint8))] * 2, b=[PICTURE] * 2),
    ),
]
