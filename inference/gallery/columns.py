"""Pictures of a plain folder, as the columns of a gallery."""

from pathlib import Path

from PIL import Image

from inference.files import jobs
from inference.pictures import Picture, as_rgb, shown_range, to_picture

COLUMNS = ("input", "output", "target")
ALONE = "picture"  # the column of a folder that has none of these
BROWSERS_SHOW = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def read_columns(folder: Path, out: Path) -> dict[str, dict[str, Path]]:
    """Find the pictures of a folder: those in its subfolders ``input``, ``output`` and ``target``, or else all of it.

    Args:
        folder: with all that is below it.
        out: where a gallery will be; what is in it is left out.

    Returns:
        For each name, the path below the folder without ending, the files by their columns.

    Raises:
        DataError: there is no picture.
    """
    there = [column for column in COLUMNS if (folder / column).is_dir()]
    folders = {column: folder / column for column in there} or {ALONE: folder}
    found: dict[str, dict[str, Path]] = {}
    for column, own in folders.items():
        for job in jobs([own], out):
            found.setdefault(job.stem.relative_to(out).as_posix(), {})[column] = job.source
    return dict(sorted(found.items()))


def drawn(picture: Picture) -> Image.Image:
    """Draw a picture of any depth in 8 bits: integers by the range of their type, floating point by what it holds."""
    return to_picture(as_rgb(shown_range(picture.read())))
