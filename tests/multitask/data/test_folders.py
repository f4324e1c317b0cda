import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close
from torch.utils.data import DataLoader

from multitask.data import DataError, DepthMap, Folders, NormalMap, collate

GRAY = np.full((4, 6, 3), 128, np.uint8)


def save(array: Any, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".npy":
        np.save(file, array)
    else:
        Image.fromarray(np.asarray(array)).save(file)


def coco(**changed: Any) -> dict[str, Any]:
    """Boxes of picture a, none of b, and one of a picture that is not here."""
    return {
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 6, "height": 4},
            {"id": 8, "file_name": "b.jpg", "width": 6, "height": 4},
            {"id": 9, "file_name": "elsewhere/z.jpg", "width": 60, "height": 40},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 90, "bbox": [1, 0, 2, 3.5], "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [4, 1, 2.01, 3]},
            {"id": 3, "image_id": 7, "category_id": 3, "bbox": [0, 0, 1, 1], "iscrowd": 1},
            {"id": 4, "image_id": 9, "category_id": 3, "bbox": [5, 5, 9, 9]},
        ],
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 3, "name": "car"}],
        **changed,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Picture a has everything, b a depth array, c nothing."""
    train = tmp_path / "train"
    for name in "abc":
        save(GRAY, train / "image" / f"{name}.png")
    labels = Image.fromarray(np.array([[0, 5, 255, 1, 1, 1]] * 4, np.uint8), "P")
    labels.putpalette([200, 100, 50] * 256)
    (train / "labels").mkdir()
    labels.save(train / "labels" / "a.png")
    save(np.array([[0, 1500, 65535, 1, 1, 1]] * 4, np.uint16), train / "depth" / "a.png")
    save(np.array([[np.nan, np.inf, -1, 2.5, 1, 1]] * 4), train / "depth" / "b.npy")
    save(
        [[[255, 128, 128], [128, 1, 128], [128, 128, 128], [0, 0, 0], [218, 128, 218], [128, 128, 255]]] * 4,
        train / "x.npy",
    )
    save(np.load(train / "x.npy").astype(np.uint8), train / "normals" / "a.png")
    (train / "boxes.json").write_text(json.dumps(coco()))
    (train / "classes.csv").write_text("\ufeffname,class\na.png,3\nb,0\n", encoding="utf-8")
    return tmp_path


def test_every_kind_of_file(root: Path) -> None:
    scenes = Folders(root, "train")
    assert len(scenes) == 3
    scene = scenes[0]
    assert scene["name"] == str(root / "train" / "*" / "a")
    assert_close(scene["image"].as_subclass(torch.Tensor), torch.full((3, 4, 6), 128 / 255))
    assert scene["labels"][2].tolist() == [0, 5, 255, 1, 1, 1]  # of a palette the indices
    assert scene["labels"].dtype == torch.int64
    assert isinstance(scene["depth"], DepthMap)
    assert_close(scene["depth"][0, 1, :3].as_subclass(torch.Tensor), torch.tensor([0, 1.5, 65.535]))
    assert isinstance(scene["normals"], NormalMap)
    half = 0.5**0.5
    expected = [[1, 0, 0], [0, -1, 0], [0, 0, 0], [0, 0, 0], [half, 0, half], [0, 0, 1]]
    assert_close(scene["normals"][:, 3].T.as_subclass(torch.Tensor), torch.tensor(expected, dtype=torch.float32))
    assert scene["boxes"].tolist() == [[1, 0, 3, 3.5], [4, 1, 6, 4]]  # the second ends at the border
    assert scene["boxes_classes"].tolist() == [1, 0]  # in the order of the categories' ids
    assert scene["class"] == 3


def test_what_is_not_there_is_left_out(root: Path) -> None:
    scenes = Folders(root, "train")
    assert scenes[1].keys() == {"name", "image", "depth", "boxes", "boxes_classes", "class"}
    assert scenes[1]["boxes"].shape == (0, 4)  # listed without a box: it has none
    assert scenes[2].keys() == {"name", "image"}
    batch = collate([scenes[index] for index in range(3)])
    assert batch["class"].tolist() == [3, 0, 255]
    assert [None if boxes is None else len(boxes["labels"]) for boxes in batch["boxes"]] == [2, 0, None]
    assert (batch["labels"][1:] == 255).all()


def test_depth_arrays_are_in_meters_and_pictures_in_units(root: Path) -> None:
    scenes = Folders(root, "train", depth_unit=0.01)
    assert_close(scenes[0]["depth"][0, 0, 1].item(), 15.0)
    assert scenes[1]["depth"][0, 2].tolist() == [0, 0, 0, 2.5, 1, 1]  # NaN, infinite and negative are unknown


def test_the_unit_of_predicted_depths_must_be_theirs(root: Path) -> None:
    file = root / "train" / "depth.json"
    file.write_text('{"depth_unit": 0.01}')
    Folders(root, "train", depth_unit=0.01)
    with pytest.raises(DataError, match=r"depth\.json says that depth_unit is 0\.01, not 0\.001: set the layout's"):
        Folders(root, "train")
    file.write_text("[]")
    with pytest.raises(DataError, match=r"depth\.json: expected the key depth_unit"):
        Folders(root, "train")


def test_pictures_alone_are_enough(tmp_path: Path) -> None:
    save(GRAY[..., 0], tmp_path / "val" / "image" / "gray.jpg")
    scene = Folders(tmp_path, "val")[0]
    assert scene.keys() == {"name", "image"}
    assert scene["image"].shape == (3, 4, 6)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("labels/a.png", GRAY, r"labels.a\.png: 3 channels of uint8 are no numbers of classes"),
        ("labels/a.png", np.zeros((5, 6), np.uint8), r"train.\*.a: labels is 5 x 6 pixels and the image 4 x 6"),
        ("depth/a.png", GRAY[..., 0], r"depth.a\.png must be a gray picture of 16 bits; got 1 x uint8"),
        ("depth/a.png", np.zeros((4, 6), np.uint16), r"train.\*.a: depth has no value above 0"),
        ("normals/a.png", GRAY[..., 0], r"normals.a\.png must be a color picture of 3 x 8 bits; got 1 x uint8"),
        ("depth/a.png", b"no picture", r"depth.a\.png: not a picture in a format that can be read"),
        ("depth/b.npy", b"", r"depth.b\.npy is no array of numpy's"),
        ("depth/b.npy", np.full((4, 6), np.nan), r"train.\*.b: depth has no value above 0"),
    ],
)
def test_bad_files_are_named(root: Path, file: str, content: Any, message: str) -> None:
    path = root / "train" / file
    path.write_bytes(content) if isinstance(content, bytes) else save(content, path)
    with pytest.raises(DataError, match=message):
        [*map(Folders(root, "train").__getitem__, (0, 1))]


def test_a_damaged_picture_is_named(root: Path) -> None:
    file = root / "train" / "image" / "a.png"
    save(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), file)
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"image.a\.png: damaged, remove or replace it"):
        Folders(root, "train")[0]


BAD_LISTS: list[tuple[str, Callable[[], str], str]] = [
    ("boxes.json", lambda: "{", r"boxes\.json is no COCO file of instances: Expecting property name"),
    ("boxes.json", lambda: "[]", r"boxes\.json is no COCO file of instances: list indices"),
    ("boxes.json", lambda: '{"images": []}', r"no COCO file of instances: the key 'categories' is missing"),
    (
        "boxes.json",
        lambda: json.dumps(coco(categories=[{"id": 90}])),
        "annotation 2 has the category_id 3, which is not",
    ),
    (
        "boxes.json",
        lambda: json.dumps(coco(images=coco()["images"][:2])),
        "annotation 4 has the image_id 9, which is not",
    ),
    ("boxes.json", lambda: json.dumps(coco(images=[], annotations=[])), r"boxes\.json lists none of the pictures in"),
    ("classes.csv", lambda: "name,label\na,3\n", r"classes\.csv, line 2: expected columns name and class"),
    ("classes.csv", lambda: "name,class\na,3\nb,cat\n", r"classes\.csv, line 3: expected .* a whole number.*'cat'"),
    ("classes.csv", lambda: "name,class\nz,3\n", r"classes\.csv lists none of the pictures in .*image"),
]


@pytest.mark.parametrize(("file", "content", "message"), BAD_LISTS)
def test_bad_lists_are_named(root: Path, file: str, content: Callable[[], str], message: str) -> None:
    (root / "train" / file).write_text(content())
    with pytest.raises(DataError, match=message) as error:
        Folders(root, "train")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("box", [[4, 1, 3.5, 3], [-2, 0, 3, 3], [1, 1, 0, 2]])
def test_boxes_outside_the_picture_are_refused(root: Path, box: list[float]) -> None:
    annotation = {"id": 1, "image_id": 7, "category_id": 3, "bbox": box}
    (root / "train" / "boxes.json").write_text(json.dumps(coco(annotations=[annotation])))
    with pytest.raises(DataError, match=r"train.\*.a: boxes must have 0 <= x1 < x2 <= 6 and 0 <= y1 < y2 <= 4; got"):
        Folders(root, "train")[0]


def test_files_that_belong_together_must_be_called_so(root: Path) -> None:
    with pytest.raises(DataError, match=r"there are no pictures \(\.png, \.jpg, \.jpeg\) in .*val.image"):
        Folders(root, "val")
    save(GRAY[..., 0], root / "train" / "labels" / "d.png")
    with pytest.raises(DataError, match=r"labels.d\.png: there is no picture of this name in .*train.image"):
        Folders(root, "train")
    save(GRAY, root / "train" / "image" / "d.png")
    save(GRAY, root / "train" / "image" / "d.jpg")
    with pytest.raises(DataError, match=r"d\.png: the same name as d\.jpg; rename one"):
        Folders(root, "train")


def test_bad_options_are_refused_by_name(root: Path) -> None:
    with pytest.raises(ValueError, match="depth_unit must be above 0; got 0"):
        Folders(root, "train", depth_unit=0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_errors_of_workers_are_one_line_too(root: Path) -> None:
    save(GRAY, root / "train" / "labels" / "a.png")
    loader: DataLoader[Any] = DataLoader(Folders(root, "train"), num_workers=1, collate_fn=collate)
    with pytest.raises(
        DataError,
        match=r"^\S*labels.a\.png: 3 channels of uint8 are no numbers of classes; save them gray or with a palette$",
    ):
        next(iter(loader))


def test_a_file_of_another_ending_is_named_and_not_dropped(root: Path) -> None:
    train = root / "train"
    save(GRAY[..., 0], train / "labels" / "b.jpg")
    with pytest.raises(DataError, match=r"labels.b\.jpg: files in labels must end in \.png; convert or move it"):
        Folders(root, "train")
    (train / "labels" / "b.jpg").unlink()
    save(GRAY, train / "image" / "d.tif")
    with pytest.raises(DataError, match=r"image.d\.tif: files in image must end in \.png or \.jpg or \.jpeg;"):
        Folders(root, "train")
    (train / "image" / "d.tif").unlink()
    (train / "image" / "Thumbs.db").touch()  # not a picture of anybody's
    assert len(Folders(root, "train")) == 3


def test_targets_are_counted(root: Path) -> None:
    scenes = Folders(root, "train")
    assert scenes.count_targets() == {"labels": 1, "depth": 2, "normals": 1, "boxes": 2, "class": 2}
    assert scenes.describe() == "3 scenes (labels 1, depth 2, normals 1, boxes 2, class 2)"
