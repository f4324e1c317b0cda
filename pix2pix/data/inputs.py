"""Inputs as a model was trained on them: one file, files of several folders stacked, or a stack of slices."""

from collections.abc import Sequence
from pathlib import Path

from inference import DataError, Picture, open_picture
from inference.files import picture_named
from inference.pictures import Axes, open_pages
from pix2pix.data.formats import PairFormats

STACKS = (".tif", ".tiff")  # files of slices


def open_input(file: Path, formats: PairFormats, axes: Axes) -> Picture:
    """Open an input.

    Args:
        file: the picture; where pictures of several folders are stacked, that of the first of them.
        formats: of the training.
        axes: how the arrays of files lie.

    Raises:
        DataError: it cannot be read, or has no partner in another folder.
    """
    if formats.neighbors is not None and file.suffix.lower() in STACKS:
        return Picture.stack(open_pages(file))
    first, *others = formats.stack or (file.parent.name,)
    folder = next((parent for parent in file.parents if parent.name == first), file.parent)
    below = file.relative_to(folder).parent
    files = [file, *(picture_named(file.stem, folder.with_name(other) / below) for other in others)]
    return Picture.stack([open_picture(each, axes=axes) for each in files])


def input_folders(inputs: Sequence[Path], formats: PairFormats) -> list[Path]:
    """Return where to look for pictures: as given, or the first of the folders whose pictures are stacked.

    Raises:
        DataError: a folder that was given does not hold these.
    """
    if not formats.stack:
        return list(inputs)
    for folder in inputs:
        for name in formats.stack:
            if not (folder / name).is_dir():
                raise DataError(
                    f"{folder / name}: no such folder; the model translates pictures of the folders "
                    f"{', '.join(formats.stack)}, stacked: give the folder that holds these"
                )
    return [folder / formats.stack[0] for folder in inputs]
