"""Files that carry code: whoever reads them as a pickle runs it, and leaves a file behind."""

import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import torch
from pyarrow import parquet

MARK = Path("code-was-run")  # in the folder of the test


class Payload:
    """Opens a file to write as it is read."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(MARK.absolute()), "w")


def content() -> dict[str, Any]:
    """What a checkpoint looks like, and a dictionary of weights."""
    return {"state_dict": {}, "hyper_parameters": {}, "global_step": 0, "weights": torch.zeros(2), "evil": Payload()}


def zipped(file: Path) -> None:
    torch.save(content(), file)


def legacy(file: Path) -> None:
    torch.save(content(), file, _use_new_zipfile_serialization=False)


def plain(file: Path) -> None:
    file.write_bytes(pickle.dumps(content()))


WRITERS: Mapping[str, Callable[[Path], None]] = {"zip": zipped, "legacy": legacy, "pickle": plain}


def write_npy(file: Path) -> None:
    np.save(file, np.array([Payload()], dtype=object), allow_pickle=True)


def write_npz(file: Path) -> None:
    np.savez(file, np.array([Payload()], dtype=object))


def write_parquet(file: Path) -> None:
    """Two columns of pictures, with the pickled extension type of CVE-2023-47248."""
    harmful = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Payload()),
    }
    fields = [arrow.field(name, arrow.binary(), metadata=harmful) for name in "ab"]
    table = arrow.table([[b"1"], [b"2"]], schema=arrow.schema(fields))
    parquet.write_table(table, file)


@contextmanager
def nothing_runs() -> Iterator[None]:
    """Fail if the code of a file was run meanwhile."""
    yield
    assert not MARK.exists(), "the code in a file was run"
