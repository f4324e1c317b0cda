"""Pairs that a small network can learn in seconds: a rectangle on a ground, and the same in other colors."""

from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix.data import PairedImages


def write_colors(root: Path, train: int = 32, val: int = 12, shuffled: bool = False, size: int = 16) -> Path:
    """Write pairs side by side; ``shuffled`` gives each input the target of another."""
    random = np.random.default_rng(0)
    for split, count in {"train": train, "val": val, "test": 1}.items():
        inputs = [draw(random, size) for _ in range(count)]
        targets = [255 - picture[:, :, [1, 2, 0]] for picture in inputs]
        if shuffled:
            targets = targets[count // 2 :] + targets[: count // 2]
        (root / split).mkdir(parents=True)
        for index, pair in enumerate(zip(inputs, targets, strict=True)):
            Image.fromarray(np.concatenate(pair, 1)).save(root / split / f"{index:02}.png")
    return root


def draw(random: np.random.Generator, size: int) -> np.ndarray:
    picture = np.empty((size, size, 3), np.uint8)
    picture[:] = random.integers(20, 236, 3)
    top, left = random.integers(0, size // 2, 2)
    picture[top : top + size // 2, left : left + size // 2] = random.integers(20, 236, 3)
    return picture


def color_data(root: Path, **options: bool | int) -> PairedImages:
    """The data of :func:`write_colors`, as they are."""
    write_colors(root, **options)  # type: ignore[arg-type]
    return PairedImages(str(root), load_size=16, crop_size=16, flip=False, batch_size=4, num_workers=0)
