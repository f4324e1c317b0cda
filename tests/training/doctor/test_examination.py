import numpy as np

from inference import DataError, Picture
from training.doctor import Finding, Place, examine, report


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


def test_a_report_counts_kinds_and_names_errors_first() -> None:
    samples = examine("val", ["a", "b", "c"], read)
    findings = [
        Finding("warning", "pairs are gray", [Place(("val/a",))], "color them"),
        Finding(
            "error", "pairs are broken", [Place(("1", "2"), "left"), *(Place((each,)) for each in "345")], "mend them"
        ),
    ]
    assert report(samples, findings).splitlines() == [
        "val     input     2 of 3 x uint8 (0 to 0); 4 x 5 to 6 x 5 (height x width)",
        "val     target    2 of 1 x bool (0 to 0); all 4 x 5 (height x width)",
        "error   4 pairs are broken: 1 and 2 (left), 3, 4 and 1 more; mend them",
        "warning 1 pairs are gray: val/a; color them",
    ]
    assert report(samples, []).endswith("\nnothing is wrong")
