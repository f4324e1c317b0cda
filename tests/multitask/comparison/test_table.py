import csv
from pathlib import Path
from typing import Literal

import pytest

from multitask.comparison.table import Result, delta_m, write_tables

BETTER: dict[str, dict[str, Literal["higher", "lower"]]] = {
    "seg": {"miou": "higher", "accuracy": "higher"},
    "depth": {"abs": "lower"},
}


def test_delta_m_is_the_mean_gain_of_the_tasks() -> None:
    baseline = {"seg/miou": 0.5, "seg/accuracy": 0.8, "depth/abs": 2.0}
    metrics = {"seg/miou": 0.6, "seg/accuracy": 0.8, "depth/abs": 2.2}
    # seg: (20 % + 0 %) / 2, depth: -10 %
    assert delta_m(metrics, baseline, BETTER) == pytest.approx(0)
    assert delta_m(metrics | {"depth/abs": 1.0}, baseline, BETTER) == pytest.approx((10 + 50) / 2)
    assert delta_m(baseline, baseline, BETTER) == 0


def test_metrics_without_a_baseline_are_left_out() -> None:
    baseline = {"seg/miou": 0.0, "seg/accuracy": 0.8, "depth/abs": 2.0}
    metrics = {"seg/miou": 0.6, "seg/accuracy": 0.6, "depth/abs": 2.0}
    assert delta_m(metrics, baseline, BETTER) == pytest.approx(-25 / 2)


def results() -> list[Result]:
    found = []
    for seed, shift in enumerate((-0.1, 0.1)):
        found.append(Result("seg-alone", seed, {"seg/miou": 0.5 + shift, "seg/accuracy": 0.8, "loss": 1.0}))
        found.append(Result("depth-alone", seed, {"depth/abs": 2.0, "loss": 2.0}))
        found.append(Result("equal", seed, {"seg/miou": 0.6, "seg/accuracy": 0.8, "depth/abs": 2.0, "loss": 3.0}))
    return found


def test_networks_for_one_task_are_one_row_and_the_baseline(tmp_path: Path) -> None:
    table = write_tables(tmp_path, results(), BETTER).splitlines()
    # The baseline is the mean of the seeds, 0.5; each seed is 20 % off in one of two metrics of one of two tasks.
    assert table[0] == "| weighting | seg/miou ↑ | depth/abs ↓ | Δm (%) ↑ | 95 % interval |"
    assert table[2] == "| each task alone | 0.500 ± 0.141 | 2.000 ± 0.000 | 0.0 ± 7.1 | -63.5 to 63.5 |"
    assert table[3] == "| equal | 0.600 ± 0.000 | 2.000 ± 0.000 | 5.0 ± 0.0 | 5.0 to 5.0 |"
    assert table[5].startswith("Mean and standard deviation of 2 seeds. The interval is Student's t")
    assert table[7:] == [
        "All metrics:",
        "",
        "| weighting | seg/miou ↑ | seg/accuracy ↑ | depth/abs ↓ |",
        "|---|---:|---:|---:|",
        "| each task alone | 0.500 ± 0.141 | 0.800 ± 0.000 | 2.000 ± 0.000 |",
        "| equal | 0.600 ± 0.000 | 0.800 ± 0.000 | 2.000 ± 0.000 |",
    ]
    with (tmp_path / "compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["weighting"], row["seed"], row["delta_m"]) for row in rows] == [
        ("each task alone", "0", "-5"),
        ("each task alone", "1", "5"),
        ("equal", "0", "5"),
        ("equal", "1", "5"),
    ]
    assert rows[0].keys() == {"weighting", "seed", "seg/miou", "seg/accuracy", "depth/abs", "delta_m"}


def test_one_seed_has_no_deviation(tmp_path: Path) -> None:
    table = write_tables(tmp_path, [each for each in results() if each.seed == 0], BETTER).splitlines()
    assert table[3] == "| equal | 0.600 | 2.000 | 12.5 |"
    assert table[0] == "| weighting | seg/miou ↑ | depth/abs ↓ | Δm (%) ↑ |"
    assert table[5] == "One seed. All trained for the same epochs."


def test_the_table_says_the_steps_of_the_same_time(tmp_path: Path) -> None:
    table = write_tables(
        tmp_path, results(), BETTER, {"equal": 0.01}, {"seg-alone": 2000000, "equal": 900}
    ).splitlines()
    assert " All trained for the same time, in steps: seg alone 2000000, equal 900. Learning rates, " in table[5]
    assert table[5].endswith("validation scenes: equal 0.01.")
