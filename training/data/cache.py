"""Samples kept as they are before anything random is done to them: in a file beside the data, or in shared memory."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import torch
from filelock import FileLock, Timeout

from inference import DataError
from training.data.dataset import CacheableDataset
from training.data.filling import NO_CACHE, fill, first_record, unwritable
from training.data.layout import Sources
from training.data.records import Records
from training.faults import SHARED
from training.whole_files import whole_file

Cache = Literal["disk", "memory"]

FOLDER = "cache"  # in the data set's
FORMAT = 1  # of the files; another when they are written otherwise
DECODERS = ("torch", "torchvision", "pillow")  # whose releases may differ in a bit of a picture


def kept_on_disk(samples: CacheableDataset[Any], name: str, root: Path | None, workers: int) -> Records | None:
    """Return samples from a file in ``root/cache``, which is written first if it is not there.

    Its name is ``SPLIT-SETTINGS-FILES.npy``: a digest of all that the samples depend on beside their files, and one of
    the names, sizes and times of these. One process writes it, others that need it wait.

    Args:
        samples: all of them.
        name: of their split.
        root: the data set's folder.
        workers: processes that read them; 0 reads them in this one.

    Returns:
        None, if none of the samples can be read.

    Raises:
        DataError: the file cannot be written; or a sample cannot be read, where bad samples are an error.
    """
    if root is None:
        raise DataError(f"data.cache disk: the data have no folder of their own; {NO_CACHE}")
    if samples.layout.sources() is None:
        layout = type(samples.layout).__name__
        raise DataError(
            f"data.cache disk: {layout} does not say which files it reads; give it sources(), or {NO_CACHE}"
        )
    settings, content = fingerprint(samples, root)
    folder = root / FOLDER
    file = folder / f"{re.sub('[^a-zA-Z0-9_.-]', '_', name)}-{settings}-{content}.npy"
    try:
        if (records := _whole(file, len(samples))) is None:
            folder.mkdir(parents=True, exist_ok=True)
            with _one_at_a_time(folder):
                if (records := _whole(file, len(samples))) is None and _write(samples, name, file, workers):
                    records = Records(file)
    except OSError as error:
        raise unwritable(folder, error) from None
    return records


def kept_in_memory(samples: CacheableDataset[Any], name: str, workers: int) -> Records | None:
    """Return samples from memory that is shared with worker processes; they are all read first.

    Args:
        samples: all of them.
        name: of their split.
        workers: processes that read them; 0 reads them in this one.

    Returns:
        None, if none of the samples can be read.

    Raises:
        DataError: there is too little memory; or a sample cannot be read, where bad samples are an error.
    """
    if (record := first_record(samples)) is None:
        return None
    size = len(samples) * record.itemsize
    little = f"data.cache memory: {name} needs {_readable(size)} of shared memory"
    if os.path.isdir(SHARED) and (free := shutil.disk_usage(SHARED).free) < size:
        remedy = "give it more (docker run --shm-size), set data.cache to disk, or leave it out"
        raise DataError(f"{little}, and {SHARED} has {_readable(free)}; {remedy}")
    print(f"cache: {_readable(size)} of memory for {name}")
    try:
        memory = torch.zeros(size, dtype=torch.uint8).share_memory_()
    except RuntimeError as error:
        raise DataError(f"{little}, more than there is; set data.cache to disk, or leave it out") from error
    fill(samples, record, memory, 0, name, workers)
    return Records(memory, record)


def fingerprint(samples: CacheableDataset[Any], root: Path | None) -> tuple[str, str]:
    """Return two digests: of what samples depend on beside their files, and of the files as far as they are known.

    Args:
        samples: which.
        root: the data set's folder, which may be moved.
    """
    files, options = samples.layout.sources() or Sources(())
    content = hashlib.blake2b(digest_size=8)
    folders = set()
    for file in files:
        folder, name = os.path.split(file)
        folders.add(folder)
        about = os.stat(file)
        content.update(os.fsencode(f"{name}/{about.st_size}/{about.st_mtime_ns}/"))
    layout = type(samples.layout)
    places = sorted(os.path.relpath(folder, root) for folder in folders)
    releases = [version(each) for each in DECODERS]
    depends = FORMAT, releases, layout.__module__, layout.__qualname__, options, places, samples.settings()
    return hashlib.blake2b(
        repr(depends).encode("utf-8", "surrogateescape"), digest_size=4
    ).hexdigest(), content.hexdigest()


def _whole(file: Path, length: int) -> Records | None:
    """Open a cache; None, if there is none or somebody has cut it."""
    try:
        records = Records(file)
        return records if len(records) == length else None
    except (FileNotFoundError, ValueError, EOFError):
        return None


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Be the only process that writes caches in a folder; the system lets go of the lock of one that is killed."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"cache: waiting for another process, which writes in {folder}", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _write(samples: CacheableDataset[Any], name: str, file: Path, workers: int) -> bool:
    """Write the file of a cache; return whether there is a sample to keep."""
    _tidy(file)
    if (record := first_record(samples)) is None:
        return False
    size = len(samples) * record.itemsize
    if (free := shutil.disk_usage(file.parent).free) < size:
        told = f"the cache of {name} needs {_readable(size)}, and {_readable(free)} are free"
        raise DataError(f"{file.parent}: {told}; free some, or {NO_CACHE}")
    print(f"cache: {_readable(size)} in {file.parent} for {name}")
    with whole_file(file) as unfinished:
        header = {"descr": np.lib.format.dtype_to_descr(record), "fortran_order": False, "shape": (len(samples),)}
        np.lib.format.write_array_header_2_0(unfinished, header)
        start = unfinished.tell()
        _reserve(unfinished, start + size)
        fill(samples, record, Path(unfinished.name), start, name, workers)
    return True


def _tidy(file: Path) -> None:
    """Remove what killed processes left, and caches of files that have changed; tell of those of other settings."""
    split, settings, _ = file.stem.rsplit("-", 2)
    for left in file.parent.glob(".*.npy"):
        left.unlink()
    others = []
    for other in file.parent.glob(f"{split}-*.npy"):
        if other.stem.rsplit("-", 2)[:2] == [split, settings]:
            other.unlink()
        elif other.stem.rsplit("-", 2)[0] == split:
            others.append(other)
    if others:
        size = _readable(sum(other.stat().st_size for other in others))
        names = ", ".join(other.name for other in sorted(others))
        print(f"cache: {size} of {split} with other settings in {file.parent}; remove what is not needed: {names}")


def _reserve(file: BinaryIO, size: int) -> None:
    """Make a file so large, so that a disk that is full is known before anything is read."""
    file.flush()
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)


def _readable(size: float) -> str:
    unit, name = next(each for each in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if size >= each[0] or each[0] == 1e3)
    return f"{size / unit:.1f} {name}"
