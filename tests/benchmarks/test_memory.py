"""At a tiny size each case trains, and the table is of what was found."""

import pytest
import torch

from benchmarks import memory
from benchmarks.memory import CASES, ON_A_GPU, Case, Found, measure, table

CPU = torch.device("cpu")


@pytest.mark.filterwarnings("ignore")
def test_every_case_trains() -> None:
    for case in CASES + ON_A_GPU:
        found = measure(case, 1, CPU, side=32, channels=4, levels=5)
        assert found.seconds > 0
        assert found.peak >= 0


def test_the_table_is_beside_the_first_case(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Case("a"), Case("b")
    lines = table({first: [Found(1000, 1.5)], second: [Found(1500, 2.0)]}, [16]).splitlines()
    assert lines[-1] == "| b | 1,500 MB | 1.50 | 2.00 s |"
    monkeypatch.setattr(memory, "alone", lambda function, case, batch, device: Found(batch, 1.0))
    assert memory.report(CPU).count("\n| ours") == 2
