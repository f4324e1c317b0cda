"""``pix2pix pair``: from two folders of pictures to one folder of pictures side by side."""

from pathlib import Path

from PIL import Image

from inference import DataError, read_upright
from inference.pictures import EXTENSIONS
from pix2pix.data.pairs import sizes_differ


def pair(a: str, b: str, out: str) -> None:
    """Write a picture that holds A and B side by side for every name that is in both folders.

    Folders below them (train, val, test) are kept. A name counts without its ending: A/train/1.jpg goes with
    B/train/1.png, to OUT/train/1.png. What is skipped is printed, with the reason; existing files are left alone.

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
        target = Path(out) / name.parent / f"{name.name}.png"
        try:
            side_by_side = _join(files_a.get(name, []), files_b.get(name, []), target, a, b)
        except DataError as reason:
            print(f"skipped {name}: {reason}")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        side_by_side.save(target)
        written += 1
    names = len(files_a.keys() | files_b.keys())
    if not written:
        raise DataError(f"{out}: nothing written, all {names} names were skipped")
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
        raise DataError(f"{folder}: no pictures in or below this folder (of {' '.join(EXTENSIONS)})")
    return names


def _join(left: list[Path], right: list[Path], target: Path, a: str, b: str) -> Image.Image:
    for files, folder in (left, a), (right, b):
        if not files:
            raise DataError(f"no picture of this name in {folder}")
        if len(files) > 1:
            raise DataError(f"{len(files)} pictures of this name in {folder}: {', '.join(f.name for f in files)}")
    if target.exists():
        raise DataError(f"{target} is there already")
    image_a, image_b = read_upright(left[0]), read_upright(right[0])
    if image_a.size != image_b.size:
        raise DataError(f"A has {sizes_differ(image_a, image_b)} as B")
    mode = image_a.mode if image_a.mode == image_b.mode and image_a.mode in ("L", "RGBA") else "RGB"
    joined = Image.new(mode, (2 * image_a.width, image_a.height))
    joined.paste(image_a.convert(mode), (0, 0))
    joined.paste(image_b.convert(mode), (image_a.width, 0))
    return joined
