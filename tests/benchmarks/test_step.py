import lightning.pytorch as pl
import pytest

from benchmarks.step import BF16, Row
from training.callbacks import Networks


@pytest.mark.parametrize(
    "row, expected",
    [
        (Row(4, 1), "4"),
        (Row(1, 1, BF16), "1, bf16-mixed"),
        (Row(16, 1, BF16, Networks(compile=True, channels_last=True)), "16, bf16-mixed, compile, channels_last"),
    ],
)
def test_a_row_is_named_by_its_options(row: Row, expected: str) -> None:
    assert row.name == expected
    if row.networks is not None:
        row.networks.log = pl.LightningModule().log  # as a trainer gives it to its callbacks
        assert row.name == expected
