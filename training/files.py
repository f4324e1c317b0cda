"""Files that users give: how they are read, and what is said where they cannot be."""

from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError


class DataError(ValueError):
    """Something is wrong with the user's files: one line that names the file and says what to do.

    A worker process of a DataLoader sends an exception home as text that ends in ours: only that part is kept.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rpartition(f"{__name__}.DataError: ")[2].strip())


def read_picture(file: Path | IO[bytes], name: str) -> Image.Image:
    """Read a picture whole, as it is stored.

    Args:
        file: a path or an open file.
        name: what to call it in errors.

    Raises:
        DataError: it is missing, damaged, or no picture.
    """
    try:
        with Image.open(file) as image:
            image.load()
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except UnidentifiedImageError:
        raise DataError(f"{name}: not a picture in a format that can be read; remove or replace it") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{name}: damaged, remove or replace it ({error})") from None
    return image
