"""Read and check one picture."""

from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class DataError(ValueError):
    """Something is wrong with the user's files: one line that names the file and says what to do.

    A worker process of a DataLoader sends an exception home as text that ends in ours: only that part is kept.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rpartition(f"{__name__}.DataError: ")[2].strip())


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
    name = name or str(file)
    try:
        with Image.open(file) as image:
            image.load()
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except UnidentifiedImageError:
        raise DataError(f"{name}: not a picture in a format that can be read; remove or replace it") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{name}: damaged, remove or replace it ({error})") from None
    if image.mode.startswith(("I", "F")):
        raise DataError(f"{name}: more than 8 bits a channel (mode {image.mode}); convert it to 8 bits first")
    return ImageOps.exif_transpose(image)


def as_tensor(image: Image.Image, channels: int) -> Tensor:
    """Convert a picture to uint8, ``channels`` x H x W: 1 is grey, 3 RGB, 4 RGBA."""
    array = np.array(image.convert(MODES[channels]))  # a copy: torch wants memory that it may write to
    return torch.from_numpy(array.reshape(image.height, image.width, channels)).permute(2, 0, 1).contiguous()
