"""Find, read and check pictures. A picture whose numbers would be lost is refused, never changed silently."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from PIL import Image, ImageOps, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

File = Path | IO[bytes]


class DataError(ValueError):
    """Something is wrong with the user's files: one line that names the file and says what to do.

    A worker process of a DataLoader sends an exception home as text that ends in ours: only that part is kept.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rpartition(f"{__name__}.DataError: ")[2].strip())


def list_pictures(folder: Path) -> list[Path]:
    """Return the pictures in ``folder``, not below it, sorted by name.

    Raises:
        DataError: no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    files = sorted(file for file in folder.iterdir() if file.is_file())
    pictures = [file for file in files if file.suffix.lower() in EXTENSIONS]
    if not pictures:
        raise DataError(f"{folder}: no pictures in this folder ({' '.join(EXTENSIONS)}); {what_is_there(files)}")
    return pictures


def what_is_there(files: Iterable[Path]) -> str:
    """Count files by their extensions, for messages about those that are missing."""
    endings = Counter(file.suffix.lower() or "no ending" for file in files)
    return (
        f"it holds {', '.join(f'{count} x {ending}' for ending, count in endings.items())}"
        if endings
        else "it is empty"
    )


def read_picture(file: File, name: str | Path | None = None) -> Image.Image:
    """Read a picture whole, as it is stored.

    Args:
        file: a path or an open file.
        name: what to call it in errors; its path by default.

    Raises:
        DataError: it is missing, damaged or not a picture; or it holds what Pillow would drop or round without a word:
            colors of more than 8 bits, channels beyond those of its mode, more than one page or frame.
    """
    name = name or str(file)
    try:
        with Image.open(file) as image:
            if loss := _silent_loss(image):
                raise DataError(f"{name}: {loss}")
            image.load()
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except UnidentifiedImageError:
        raise DataError(f"{name}: {_unidentified(file)}") from None
    except DataError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{name}: damaged, remove or replace it ({error})") from None
    return image


def read_upright(file: File, name: str | Path | None = None) -> Image.Image:
    """Read a picture of 8 bits a channel, turned upright as its EXIF data say.

    Args:
        file: a path or an open file.
        name: what to call it in errors; its path by default.

    Raises:
        DataError: as for :func:`read_picture`, or it has more than 8 bits a channel.
    """
    image = read_picture(file, name)
    if image.mode.startswith(("I", "F")):
        raise DataError(f"{name or file}: more than 8 bits a channel (mode {image.mode}); convert it to 8 bits first")
    return ImageOps.exif_transpose(image)


def _silent_loss(image: Image.Image) -> str | None:
    """Return what Pillow would drop from an opened picture, as the end of a message, or None."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a phone's JPEG, with a preview or depth map after the picture
        return f"{frames} pages or frames, of which only the first would be used; save each as a file of its own"
    bits, channels = 8, len(image.getbands())
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
        channels = tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
    elif isinstance(image, PngImagePlugin.PngImageFile) and any(";16" in str(tile.args) for tile in image.tile):
        bits = 16
    if bits > 8 and not image.mode.startswith(("I", "F")):
        return f"{bits} bits a channel, which would be cut to 8 in mode {image.mode}; convert it to 8 bits first"
    if channels > len(image.getbands()):
        return f"{channels} channels, of which only {len(image.getbands())} would be used; save it with 1, 3 or 4"
    return None


def _unidentified(file: File) -> str:
    """Return the end of a message that tells an unsupported TIFF from a file that is not a picture."""
    if isinstance(file, Path):
        with file.open("rb") as opened:
            start = opened.read(4)
    else:
        file.seek(0)
        start = file.read(4)
    if start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return (
            "a TIFF whose number of channels, depth or compression cannot be read; "
            "save it with 1, 3 or 4 channels of 8 bits"
        )
    return "not a picture in a format that can be read; remove or replace it"


def to_picture(tensor: Tensor) -> Image.Image:
    """Convert a tensor C x H x W in [0, 1], with 1, 3 or 4 channels, to a picture of 8 bits a channel, rounded."""
    return to_pil_image(tensor.clamp(0, 1).mul(255).round().byte())


def as_rgb(picture: Tensor) -> Tensor:
    """Convert a picture in [0, 1] with 1, 3 or 4 channels to RGB for display, on white where transparent."""
    if len(picture) == 4:
        alpha = picture[3:]
        return picture[:3] * alpha + 1 - alpha
    return picture.expand(3, -1, -1)
