"""Files that are either whole or absent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from inference.pictures.files import whole_or_not_at_all


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write that takes its place in one step when it is closed.

    It is written beside its place, flushed to disk and renamed. A process that is killed at any moment, or a disk that
    is full, leaves the old file or the new one, never a part of it. What a process that was killed has left beside it
    is removed by the next one.

    Args:
        path: the file's place; the folder is made.

    Raises:
        OSError: it cannot be written; the error names ``path``, and the old file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_or_not_at_all(path) as unfinished, unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _force_to_disk(path.parent)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    for left in path.parent.glob(f".{path.stem}.*{path.suffix}"):
        left.unlink(missing_ok=True)


def _force_to_disk(folder: Path) -> None:
    """Flush the new name itself, so that it survives a loss of power; on Windows folders cannot be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
