import numpy as np

from inference import DataError, Picture
from training.doctor import examine


def read(index: int) -> dict[str, Picture]:
    if index == 1:
        raise DataError("b.png: damaged,\nremove it")
    return {"input": Picture.of(np.zeros((4 + index, 5, 3), np.uint8)), "target": Picture.of(np.zeros((4, 5, 1), bool))}


def test_samples_come_in_their_order_and_broken_ones_with_their_message() -> None:
    samples = examine("val", ["a", "b", "c"], read)
    assert [str(sample) for sample in samples] == ["val/a", "val/b", "val/c"]
    assert [sample.error for sample in samples] == [None, "b.png: damaged, remove it", None]
    assert samples[1].facts == {}
    assert samples[2].facts["input"].size == (6, 5)
