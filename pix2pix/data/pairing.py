"""``pix2pix pair``: from two folders of pictures to one folder of pictures side by side."""

from pathlib import Path

import numpy as np

from inference import DataError, open_picture, write_picture
from inference.pictures import EXTENSIONS, Array, sizes_differ
from inference.pictures.files import ending_for
from inference.pictures.format import to_channels


def pair(a: str, b: str, out: str) -> None:
    """Write a picture with A and B side by side for every name that is in both folders.

    Subfolders (train, val, test) are kept. Names are compared without their endings: A/train/1.jpg and B/train/1.png
    become OUT/train/1.png, or .tif if PNG cannot hold their values. What is skipped is printed with the reason;
    existing files are left alone.

    Args:
        a: folder of the pictures that become the left halves.
        b: folder of the pictures that become the right halves.
        out: folder to write to.

    Raises:
        DataError: a folder is missing or empty, or no pair could be written.
    """
    files_a, files_b = _by_name(Path(a)), _by_name(Path(b))
    written = 0
    for name in sorted(files_a.keys() | files_b.keys()):
        try:
            side_by_side = _join(files_a.get(name, []), files_b.get(name, []), a, b)
            target = Path(out) / name.parent / f"{name.name}{ending_for(side_by_side.dtype, side_by_side.shape[2])}"
            if target.exists():
                raise DataError(f"{target} is there already")
        except DataError as reason:
            print(f"skipped {name}: {reason}")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        write_picture(target, side_by_side)
        written += 1
    names = len(files_a.keys() | files_b.keys())
    if not written:
        raise DataError(f"{out}: nothing written, all {names} names were skipped; rename pictures that belong together")
    print(f"{written} pairs written to {out}, {names - written} skipped")


def _by_name(folder: Path) -> dict[Path, list[Path]]:
    """Map paths below ``folder``, without their endings, to the pictures of that name."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    names: dict[Path, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in EXTENSIONS:
            names.setdefault(file.relative_to(folder).with_suffix(""), []).append(file)
    if not names:
        raise DataError(f"{folder}: no pictures in or below this folder (of {' '.join(EXTENSIONS)}); take another")
    return names


def _join(left: list[Path], right: list[Path], a: str, b: str) -> Array:
    for files, folder in (left, a), (right, b):
        if not files:
            raise DataError(f"no picture of this name in {folder}")
        if len(files) > 1:
            raise DataError(f"{len(files)} pictures of this name in {folder}: {', '.join(f.name for f in files)}")
    picture_a, picture_b = open_picture(left[0]), open_picture(right[0])
    if picture_a.size != picture_b.size:
        raise DataError(f"A has {sizes_differ(picture_a, picture_b)} as B")
    if picture_a.dtype != picture_b.dtype:
        raise DataError(f"A is of {picture_a.dtype} and B of {picture_b.dtype}; save them alike")
    channels = max(picture_a.channels, picture_b.channels)
    halves = [to_channels(each.read(), channels, each.name) for each in (picture_a, picture_b)]
    return np.concatenate(halves, 1)
