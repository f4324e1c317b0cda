import os

import pytest
import torch

from benchmarks.alone import PeakMemory, alone

CPU = torch.device("cpu")


def test_the_peak_is_what_was_used_at_once_and_not_before() -> None:
    torch.ones(40_000_000)  # 160 MB, and gone
    memory = PeakMemory(CPU)
    assert memory.megabytes() < 20
    for _ in range(3):
        torch.ones(20_000_000)
    assert memory.megabytes() == pytest.approx(80, abs=20)


def test_another_process_measures() -> None:
    assert alone(os.getpid) != os.getpid()
