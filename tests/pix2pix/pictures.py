"""Small data sets on disk for the tests: real PNG files, random pixels."""

from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix.data import PairedImages


def write_picture(file: Path, width: int = 16, height: int = 16, mode: str = "RGB", seed: int = 0) -> np.ndarray:
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, *channels), dtype=np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode).save(file)
    return pixels


def write_side_by_side(root: Path, train: int = 10, val: int = 3, test: int = 3, size: int = 16) -> Path:
    seed = 0
    for split, count in {"train": train, "val": val, "test": test}.items():
        for index in range(count):
            write_picture(root / split / f"{split}{index:02}.png", 2 * size, size, seed=(seed := seed + 1))
    return root


def small_data(root: Path, **options: object) -> PairedImages:
    """The whole of the real pipeline on 16 x 16 pictures: resize, crop, flip, jitter."""
    if not root.exists():
        write_side_by_side(root)
    small = {"load_size": 18, "crop_size": 16, "color_jitter": 0.2, "batch_size": 2, "num_workers": 0}
    return PairedImages(str(root), **(small | options))  # type: ignore[arg-type]
