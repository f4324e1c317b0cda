import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from training.data.records import Records, as_record, record_of

SAMPLE = {
    "bytes": torch.arange(6, dtype=torch.uint8).view(2, 3),
    "numbers": torch.tensor([0.1, float("nan"), -torch.inf]),
    "classes": torch.tensor(7),
}


def entries() -> bytes:
    """Two records, the first of which was never written."""
    record = record_of(SAMPLE)
    entry = as_record(SAMPLE, record)
    assert entry is not None
    return bytes(record.itemsize) + entry


def assert_holds_the_second(records: Records) -> None:
    assert len(records) == 2
    assert records[0] is None
    sample = records[1]
    assert sample is not None
    assert sample.keys() == SAMPLE.keys()
    for key, value in SAMPLE.items():
        assert sample[key].dtype == value.dtype
        torch.testing.assert_close(sample[key], value, rtol=0, atol=0, equal_nan=True)


def test_records_in_a_file_are_those_that_were_written_also_for_another_process(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.frombuffer(entries(), record_of(SAMPLE)))
    records = Records(tmp_path / "a.npy")
    assert_holds_the_second(records)
    assert_holds_the_second(pickle.loads(pickle.dumps(records)))
    assert len(pickle.dumps(records)) < 1000  # the place alone


def test_records_in_memory_see_what_is_written_later() -> None:
    memory = torch.zeros(2 * record_of(SAMPLE).itemsize, dtype=torch.uint8)
    records = Records(memory, record_of(SAMPLE))
    assert records[1] is None
    memory.copy_(torch.frombuffer(bytearray(entries()), dtype=torch.uint8))
    assert_holds_the_second(records)


@pytest.mark.parametrize(
    "other",
    [
        {"bytes": torch.zeros(3, 2, dtype=torch.uint8)},
        {"bytes": torch.zeros(2, 3)},
        {"more": torch.zeros(1)},
    ],
    ids=["shape", "type", "key"],
)
def test_a_sample_of_another_kind_is_no_record(other: dict[str, Tensor]) -> None:
    assert as_record({**SAMPLE, **other}, record_of(SAMPLE)) is None
