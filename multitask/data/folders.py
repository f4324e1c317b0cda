"""Scenes as ordinary files: pictures in a folder for each kind of target."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torchvision import tv_tensors

from inference import DataError
from inference.pictures import EXTENSIONS
from multitask.data.coco import Box, read_coco
from multitask.data.files import read_array, read_depth, read_image, read_labels, read_normals
from multitask.data.scenes import DepthMap, Scene, Scenes
from training.data import split_folder

DATA = {*EXTENSIONS, ".npy", ".npz", ".exr", ".pfm", ".gif"}  # endings of files that hold pictures or arrays
ENDINGS = {"image": (".png", ".jpg", ".jpeg"), "labels": (".png",), "depth": (".png", ".npy"), "normals": (".png",)}


class Folders(Scenes):
    """Scenes of files that belong together by their names, below ``root/split``.

    ====================  ======================================================================================
    image/NAME.jpg        the picture, or a PNG
    labels/NAME.png       8-bit class numbers (a palette's indices count, not its colors); 255 where unknown
    depth/NAME.png        16 bits, in steps of ``depth_unit``; or depth/NAME.npy, H x W, in meters; 0 where unknown
    depth.json            only beside depths that ``predict`` has written: what ``depth_unit`` must be
    normals/NAME.png      (value - 128) / 127: x to the right, y up, z towards the viewer; gray or black is unknown
    boxes.json            a COCO file of instances; pictures that it does not list have unknown boxes
    classes.csv           columns ``name`` and ``class``: one class number for a whole picture
    ====================  ======================================================================================

    Only ``image`` must be there. Every other kind may be missing, and so may single files: what is not there is
    unknown in that scene. A file that belongs to no image is an error.

    Args:
        root: the data set's folder.
        split: the folder in ``root``.
        depth_unit: meters in a step of a 16-bit depth, > 0: 0.001 for millimeters.

    Raises:
        DataError: there are no images, a file that belongs to none, or one whose ending is not in the table; depth.json
            has another unit; when a scene is read: a file is not as above.
        ValueError: ``depth_unit`` is not above 0.
    """

    def __init__(self, root: Path | None, split: str, depth_unit: float = 0.001) -> None:
        if not depth_unit > 0:
            raise ValueError(f"depth_unit must be above 0; got {depth_unit}")
        self.folder = split_folder(root, split)
        self.depth_unit = depth_unit
        self.files = {kind: _files(self.folder / kind, endings) for kind, endings in ENDINGS.items()}
        self.names = list(self.files["image"])
        if not self.names:
            raise DataError(f"there are no pictures ({', '.join(ENDINGS['image'])}) in {self.folder / 'image'}")
        boxes, classes = self.folder / "boxes.json", self.folder / "classes.csv"
        self.boxes: dict[str, list[Box]] = read_coco(boxes) if boxes.exists() else {}
        self.classes = _read_classes(classes) if classes.exists() else {}
        images = self.files["image"]
        for file, listed in (boxes, self.boxes), (classes, self.classes):
            if file.exists() and not listed.keys() & images.keys():
                raise DataError(f"{file} lists none of the pictures in {self.folder / 'image'}; correct their names")
        for files in self.files.values():
            for name in files.keys() - images.keys():
                raise DataError(f"{files[name]}: there is no picture of this name in {self.folder / 'image'}")

        self._check_unit()

    def _check_unit(self) -> None:
        """Require the unit of depths that were predicted, which ``predict`` has written beside them."""
        file = self.folder / "depth.json"
        try:
            written = json.loads(file.read_text(encoding="utf-8"))["depth_unit"] if file.exists() else self.depth_unit
        except (ValueError, KeyError, TypeError):
            raise DataError(
                f"{file}: expected the key depth_unit, as predict writes it; correct or remove it"
            ) from None
        if written != self.depth_unit:
            raise DataError(
                f"{file} says that depth_unit is {written}, not {self.depth_unit}: set the layout's to that"
            )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def count_targets(self) -> Mapping[str, int]:
        """Return how many images have each target."""
        images = self.files["image"].keys()
        known: dict[str, Mapping[str, object]] = {**self.files, "boxes": self.boxes, "class": self.classes}
        return {kind: len(images & of.keys()) for kind, of in known.items() if of and kind != "image"}

    def read(self, index: int) -> tuple[Scene, str]:
        """Read what there is of a scene."""
        name = self.names[index]
        files = {kind: files[name] for kind, files in self.files.items() if name in files}
        image = read_image(files["image"], str(files["image"]))
        scene: Scene = {"image": image}
        if file := files.get("labels"):
            scene["labels"] = read_labels(file, str(file))
        if file := files.get("depth"):
            array = file.suffix == ".npy"
            depth = read_array(file, 1) if array else read_depth(file, str(file), self.depth_unit)
            scene["depth"] = DepthMap(depth.clamp_min(0))
        if file := files.get("normals"):
            scene["normals"] = read_normals(file, str(file))
        if name in self.boxes:
            boxes = torch.tensor([box for box, _ in self.boxes[name]], dtype=torch.float32).view(-1, 4)
            scene["boxes"] = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=image.shape[-2:])
            scene["boxes_classes"] = torch.tensor([kind for _, kind in self.boxes[name]], dtype=torch.int64)
        if name in self.classes:
            scene["class"] = torch.tensor(self.classes[name])
        return scene, str(self.folder / "*" / name)


def _files(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """Return the files of a folder by their names, sorted; none if there is no folder."""
    files: dict[str, Path] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        ending = file.suffix.lower()
        if ending in DATA and ending not in endings:
            raise DataError(f"{file}: files in {folder.name} must end in {' or '.join(endings)}; convert or move it")
        if ending in endings and (other := files.setdefault(file.stem, file)) is not file:
            raise DataError(f"{file}: the same name as {other.name}; rename one")
    return files


def _read_classes(file: Path) -> dict[str, int]:
    with file.open(newline="", encoding="utf-8-sig") as lines:  # spreadsheets begin a file with a mark
        rows = csv.DictReader(lines)
        try:
            return {Path(row["name"]).stem: int(row["class"]) for row in rows}
        except (KeyError, TypeError, ValueError) as error:
            expected = "columns name and class, a whole number in each row of class"
            reason = "no text in UTF-8" if isinstance(error, UnicodeDecodeError) else repr(error)
            raise DataError(f"{file}, line {rows.line_num}: expected {expected}; {reason}") from None
