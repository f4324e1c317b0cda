import pytest

from training.comparison.table import STUDENT, confidence_interval, markdown_table, mean_and_deviation


def test_a_table_has_names_at_the_left_and_numbers_at_the_right() -> None:
    table = markdown_table(["run", "l1 ↓"], [["one", "0.5"], ["two", "0.25"]])
    assert table.splitlines() == ["| run | l1 ↓ |", "|---|---:|", "| one | 0.5 |", "| two | 0.25 |"]


def test_a_deviation_is_that_of_a_sample() -> None:
    assert mean_and_deviation([1.0, 2.0, 3.0], 2) == "2.00 ± 1.00"
    assert mean_and_deviation([0.25], 1) == "0.2"
    assert mean_and_deviation([-1.0, 0.9, -0.01], 1) == "0.0 ± 1.0"  # and not -0.0


def test_the_interval_is_students() -> None:
    # A mean of 2, a deviation of 1, three values: 2 -+ 4.303 / sqrt(3).
    assert confidence_interval([1.0, 2.0, 3.0]) == pytest.approx((2 - 2.4844, 2 + 2.4844), abs=1e-4)
    quantiles = pytest.importorskip("scipy.stats").t.ppf(0.975, range(1, len(STUDENT) + 1))
    assert pytest.approx(quantiles, abs=6e-4) == STUDENT
