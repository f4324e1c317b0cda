"""Small data sets on disk for the tests: real files in the layout of ``Folders``, random values."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from multitask.data import Folders, RandomScaleCropFlip, SceneData

HEIGHT, WIDTH = 16, 24
SPLITS = {"train": 10, "val": 3, "test": 3}


def write_scenes(root: Path, splits: dict[str, int] = SPLITS, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
    """Write scenes with labels of 3 classes, depth and one box of 2 classes in each."""
    random = np.random.default_rng(0)
    height, width = size
    for split, count in splits.items():
        for kind in ("image", "labels", "depth"):
            (root / split / kind).mkdir(parents=True)
        images, annotations = [], []
        for index in range(count):
            name = f"{split}{index:02}.png"
            pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / split / "image" / name)
            Image.fromarray(random.integers(0, 3, size, dtype=np.uint8)).save(root / split / "labels" / name)
            depth = random.integers(1000, 5000, size, dtype=np.uint16)
            Image.fromarray(depth).save(root / split / "depth" / name)
            images.append({"id": index, "file_name": name, "width": width, "height": height})
            corner, kind = random.integers(0, 6, 2).tolist(), int(random.integers(2))
            annotations.append({"image_id": index, "category_id": kind, "bbox": [*corner, 8, 6]})
        categories = [{"id": 0, "name": "small"}, {"id": 1, "name": "large"}]
        coco = {"images": images, "annotations": annotations, "categories": categories}
        (root / split / "boxes.json").write_text(json.dumps(coco))
    return root


def small_data(root: Path, **options: Any) -> SceneData:
    """The whole of the real pipeline on scenes of 16 x 24 pixels."""
    if not root.exists():
        write_scenes(root)
    small = {"augmentation": RandomScaleCropFlip(), "batch_size": 2, "num_workers": 0}
    return SceneData(root, Folders, **(small | options))
