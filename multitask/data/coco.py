"""Boxes from a file in COCO's format (Lin et al. 2014)."""

import json
from pathlib import Path
from typing import Any

from inference import DataError

Box = tuple[list[float], int]  # x1 y1 x2 y2, and the class


def read_coco(file: Path) -> dict[str, list[Box]]:
    """Read the boxes of a COCO ``instances`` file, for each picture that it lists by the picture's name without ending.

    A box is x, y, width and height there and x1, y1, x2, y2 here. Classes are numbered from 0 in the order of the
    categories' ids, so the files of all splits must list the same categories. Crowds (``iscrowd``) are no objects and
    are left out. Numbers that pass the border of the picture by less than a pixel are rounding, and end at it.

    Raises:
        DataError: no JSON, a key of COCO's is missing, or an id is unknown.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        classes = {number: c for c, number in enumerate(sorted(kind["id"] for kind in content["categories"]))}
        pictures = {picture["id"]: picture for picture in content["images"]}
        boxes: dict[str, list[Box]] = {Path(picture["file_name"]).stem: [] for picture in pictures.values()}
        for annotation in content["annotations"]:
            picture = _known(file, pictures, "image_id", annotation)
            kind = _known(file, classes, "category_id", annotation)
            x, y, width, height = (float(number) for number in annotation["bbox"])
            if not annotation.get("iscrowd"):
                x1, x2 = _at_border(x, picture["width"]), _at_border(x + width, picture["width"])
                y1, y2 = _at_border(y, picture["height"]), _at_border(y + height, picture["height"])
                boxes[Path(picture["file_name"]).stem].append(([x1, y1, x2, y2], kind))
    except KeyError as error:
        raise DataError(f"{file} is no COCO file of instances: the key {error} is missing") from None
    except (TypeError, AttributeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file} is no COCO file of instances: {error}") from None
    return boxes


def _known(file: Path, known: dict[Any, Any], key: str, annotation: dict[str, Any]) -> Any:
    if annotation[key] not in known:
        raise DataError(
            f"{file}: annotation {annotation.get('id')} has the {key} {annotation[key]}, which is not listed; "
            "correct one of them"
        )
    return known[annotation[key]]


def _at_border(place: float, end: float) -> float:
    nearest = min(max(place, 0), end)
    return nearest if abs(nearest - place) < 1 else place
