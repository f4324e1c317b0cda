"""At a tiny size every curve is measured; slopes, tables and the figure are right for numbers that are known."""

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import growth
from benchmarks.growth import CURVES, Curve, over_pairs, over_tasks, processes_train, slope, step_of_pix2pix, table
from benchmarks.memory import Found

CPU = torch.device("cpu")
pytestmark = pytest.mark.filterwarnings("ignore")


def test_steps_are_measured() -> None:
    for found in step_of_pix2pix(CPU, side=64, batch=1, channels=4), over_tasks(2, CPU):
        assert 0 < found.seconds < 60
        assert 0 < found.peak < 1000


def test_pairs_are_found() -> None:
    assert over_pairs(100, CPU).seconds > 0


def test_two_processes_train() -> None:
    assert processes_train(2, total=2, side=64, channels=4, levels=5) > 0


def test_a_square_has_the_slope_2() -> None:
    assert slope([1, 2, 8], [3.0, 12.0, 192.0]) == pytest.approx(2)
    curve = Curve("a step", "side", (10, 1000), lambda value, device: Found(value, value**2))
    lines = table(curve, [curve.measure(value, CPU) for value in curve.values]).splitlines()
    assert lines[-2:] == ["| 1,000 | 1000000.000 s | 1,000 MB |", "| slope | 2.00 | 1.00 |"]


def test_the_report_has_all_curves_and_the_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def known(function: Any, value: int, *device: torch.device) -> Any:
        return Found(value, value / 10) if device else 2.0 / value

    monkeypatch.setattr(growth, "alone", known)
    monkeypatch.setattr(growth, "FIGURE", tmp_path / "growth.png")
    text = growth.report(CPU)
    assert text.count("| slope | 1.00 | 1.00 |") == len(CURVES)
    assert "2.00 times as fast, 100 % of twice" in text
    assert (tmp_path / "growth.png").stat().st_size > 10_000
