"""Read and check one picture."""

from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from training import DataError, read_picture

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def list_images(folder: Path) -> list[Path]:
    """Give the pictures in ``folder``, not below it, sorted by name.

    Raises:
        DataError: no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    images = sorted(file for file in folder.iterdir() if file.suffix.lower() in EXTENSIONS)
    if not images:
        raise DataError(f"{folder}: no pictures in this folder (of {' '.join(EXTENSIONS)})")
    return images


def open_image(file: Path | IO[bytes], name: str | Path | None = None) -> Image.Image:
    """Read a picture whole, turned upright as its EXIF data say.

    Args:
        file: a path or an open file.
        name: what to call it in errors; its path by default.

    Raises:
        DataError: it is missing, damaged, no picture, or has more than 8 bits a channel.
    """
    image = read_picture(file, str(name or file))
    if image.mode.startswith(("I", "F")):
        raise DataError(f"{name or file}: more than 8 bits a channel (mode {image.mode}); convert it to 8 bits first")
    return ImageOps.exif_transpose(image)


def as_tensor(image: Image.Image, channels: int) -> Tensor:
    """Convert a picture to uint8, ``channels`` x H x W: 1 is grey, 3 RGB, 4 RGBA."""
    array = np.array(image.convert(MODES[channels]))  # a copy: torch wants memory that it may write to
    return torch.from_numpy(array.reshape(image.height, image.width, channels)).permute(2, 0, 1).contiguous()
