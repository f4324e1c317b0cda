"""Samples of one shape as the records of an array that several processes see."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

THERE = "there"  # the field that says whether a record holds a sample


def record_of(sample: Mapping[str, Tensor]) -> np.dtype[Any]:
    """Return the type of records that hold samples of the keys, shapes and types of this one."""
    fields: list[Any] = [(key, value.numpy().dtype, tuple(value.shape)) for key, value in sample.items()]
    return np.dtype([*fields, (THERE, np.bool_)], align=True)


def as_record(sample: Mapping[str, Tensor], record: np.dtype[Any]) -> bytes | None:
    """Return a sample as the bytes of a record; None, where it is not of the record's keys, shapes and types."""
    if record_of(sample) != record:
        return None
    entry = np.zeros((), record)
    entry[THERE] = True
    for key, value in sample.items():
        entry[key] = value.numpy()
    return entry.tobytes()


class Records:
    """Samples by their index, as views of an array that must not be written to.

    Args:
        place: a NPY file, which is mapped and not read; or a tensor of bytes in shared memory.
        record: the type of a record, where the place is a tensor.

    Raises:
        ValueError: the file is not whole.
    """

    def __init__(self, place: Path | Tensor, record: np.dtype[Any] | None = None) -> None:
        self._place, self._record = place, record
        array = np.load(place, mmap_mode="r") if isinstance(place, Path) else place.numpy().view(record or np.uint8)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            self._values = {key: torch.from_numpy(np.asarray(array[key])) for key in array.dtype.names or ()}
        self._there = self._values.pop(THERE)

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._there)

    def __getitem__(self, index: int) -> dict[str, Tensor] | None:
        """Return a sample; None, where the record does not hold one."""
        return {key: values[index] for key, values in self._values.items()} if self._there[index] else None

    def __reduce__(self) -> tuple[type["Records"], tuple[Path | Tensor, np.dtype[Any] | None]]:
        """Let a worker that is not forked look at the same place."""
        return Records, (self._place, self._record)
