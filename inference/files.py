"""What a predictor reads and where it writes: pictures and folders of them, and a place for the result of each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from inference.pictures import EXTENSIONS, DataError


class Job(NamedTuple):
    """A picture, and where its results go.

    Attributes:
        source: the file.
        stem: the path of its results, without ending.
        target: the file that is asked for, where one is.
    """

    source: Path
    stem: Path
    target: Path | None = None


def jobs(inputs: Sequence[Path], out: Path) -> list[Job]:
    """Find the pictures of files and folders, and a place below ``out`` for each.

    Pictures of a folder keep their place in it; of several folders each has one of its name. Of pictures that differ
    in their endings alone, the results keep these: a.jpg and a.png become a.jpg.png and a.png.png. The pictures in
    ``out`` itself are left out.

    Args:
        inputs: pictures, and folders that are searched with all below them.
        out: a folder; or for a single picture the file to write.

    Raises:
        DataError: one of the inputs is not there, is no picture or holds none; ``out`` is a file, and not one to write;
            or two would go to one place.
    """
    if len(inputs) == 1 and not inputs[0].is_dir() and out.suffix.lower() in EXTENSIONS:
        _require_picture(inputs[0])
        return [Job(inputs[0], out.with_suffix(""), out)]
    if out.is_file():
        raise DataError(f"{out}: a file, where a folder is written to; choose another place")
    several = sum(source.is_dir() for source in inputs) > 1
    found = []
    for source in inputs:
        if source.is_dir():
            base = out / source.resolve().name if several else out
            found += [Job(file, (base / file.relative_to(source)).with_suffix("")) for file in _pictures(source, out)]
        else:
            _require_picture(source)
            found.append(Job(source, out / source.stem))
    alike = Counter(job.stem for job in found)
    found = [job if alike[job.stem] == 1 else job._replace(stem=_with_ending(job)) for job in found]
    places: dict[Path, Path] = {}
    for job in found:
        if (other := places.setdefault(job.stem, job.source)) != job.source:
            raise DataError(f"{job.source}: its result would have the name of that of {other}, {job.stem}; rename one")
    return found


def _with_ending(job: Job) -> Path:
    return job.stem.with_name(job.source.name)


def _require_picture(file: Path) -> None:
    if not file.exists():
        raise DataError(f"{file}: no such file")
    if file.suffix.lower() not in EXTENSIONS:
        raise DataError(f"{file}: not a picture; its ending must be one of {' '.join(EXTENSIONS)}")


def _pictures(folder: Path, out: Path) -> Iterator[Path]:
    files = [
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in EXTENSIONS and not file.name.startswith(".") and file.is_file()
    ]
    below = out.resolve() != folder.resolve() and folder.resolve() in out.resolve().parents
    outside = [file for file in files if not (below and out.resolve() in file.resolve().parents)]
    if not outside:
        raise DataError(f"{folder}: no pictures in or below this folder (of {' '.join(EXTENSIONS)}); take another")
    yield from outside


def picture_named(stem: str, folder: Path) -> Path:
    """Return the picture of a name in a folder, whatever its ending.

    Raises:
        DataError: there is none.
    """
    for ending in EXTENSIONS:
        if (file := folder / f"{stem}{ending}").is_file():
            return file
    raise DataError(f"{folder / stem}: no picture of this name, with an ending of {' '.join(EXTENSIONS)}")


def check_targets(job: Job, targets: Sequence[Path], overwrite: bool) -> None:
    """Require that results can be written where they go.

    Args:
        job: whose results.
        targets: the files.
        overwrite: whether those that exist may be replaced.

    Raises:
        DataError: one of them is the picture itself, or exists.
    """
    for target in targets:
        if target.exists() and target.resolve() == job.source.resolve():
            raise DataError(f"{target}: the result would be written over its picture; choose another place")
        if target.exists() and not overwrite:
            raise DataError(f"{target}: exists already; choose another place, or --overwrite")
