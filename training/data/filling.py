"""Read all samples once, and write them where a cache keeps them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from inference import DataError
from training.data.counted import counted
from training.data.dataset import CacheableDataset
from training.data.records import as_record, record_of
from training.faults import FULL
from training.signals import ignore_signals

NO_CACHE = "set data.cache to memory, or leave it out"


def first_record(samples: CacheableDataset[Any]) -> np.dtype[Any] | None:
    """Return the type of records that hold the first sample, or the first that can be read if bad ones are skipped.

    Raises:
        DataError: the first cannot be read, where bad samples are an error.
    """
    for index in range(len(samples)):
        try:
            return record_of(samples.whole(index))
        except (DataError, OSError):
            if samples.bad is None:
                raise
    return None


class _Writer(Dataset[bool]):
    """Writes samples as they are asked for, each at its place; says of each whether it could be written.

    Args:
        samples: which.
        record: the type of a record.
        place: a file, or shared memory.
        start: where the first record begins, in bytes.
    """

    def __init__(self, samples: CacheableDataset[Any], record: np.dtype[Any], place: Path | Tensor, start: int) -> None:
        self.samples, self.record, self.place, self.start = samples, record, place, start

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> bool:
        try:
            entry = as_record(self.samples.whole(index), self.record)
        except (DataError, OSError):
            if self.samples.bad is None:
                raise
            return False
        if entry is None:
            return False
        begin = self.start + index * self.record.itemsize
        if isinstance(self.place, Tensor):
            self.place.numpy()[begin : begin + len(entry)] = np.frombuffer(entry, np.uint8)
            return True
        try:
            with self.place.open("r+b") as file:
                file.seek(begin)
                file.write(entry)
        except OSError as error:  # as text: a worker's error comes home without its number
            raise unwritable(self.place.parent, error) from None
        return True


def fill(
    samples: CacheableDataset[Any], record: np.dtype[Any], place: Path | Tensor, start: int, name: str, workers: int
) -> None:
    """Write all samples that fit into records, in worker processes if there are any, and tell of the others.

    Args:
        samples: which.
        record: the type of a record.
        place: a file that is as large as it has to be, or shared memory.
        start: where the first record begins, in bytes.
        name: of their split.
        workers: processes that read them; 0 reads them in this one.

    Raises:
        DataError: a sample cannot be read, where bad samples are an error; or the place cannot be written to.
    """
    loader = DataLoader(
        _Writer(samples, record, place, start),
        batch_size=None,
        num_workers=workers,
        worker_init_fn=ignore_signals,
        generator=torch.Generator(),  # its own, so that the run's random numbers are the same with a cache
    )
    missing = sum(not written for written in counted(loader, name, len(samples)))
    if missing:
        why = "they cannot be read, or their size or type is not that of the first"
        print(f"cache: {missing} of {len(samples)} of {name} are read from their files each time: {why}")


def unwritable(folder: Path, error: OSError) -> DataError:
    """Return the error of a cache that cannot be written in its folder."""
    free = "free some, or " if error.errno in FULL else ""
    return DataError(f"{folder}: {error.strerror or error}, and the cache is written there; {free}{NO_CACHE}")
