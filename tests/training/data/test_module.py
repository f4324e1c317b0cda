"""How many processes load samples, where nobody says; the rest of the module is tested by resuming."""

import os
from pathlib import Path

import pytest

from pix2pix.data import PairedImages
from training.data.module import cores_of_a_process


@pytest.mark.parametrize(
    ("cores", "processes", "expected"), [(1, 1, 1), (2, 1, 2), (64, 1, 8), (64, 4, 8), (16, 4, 4), (2, 4, 1)]
)
def test_workers_are_the_cores_of_a_process_by_default(
    cores: int, processes: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    assert cores_of_a_process() == expected
    assert PairedImages(Path("data")).num_workers == expected
    assert PairedImages(Path("data"), num_workers=0).num_workers == 0


def test_without_the_system_telling_which_cores_all_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert cores_of_a_process() == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores_of_a_process() == 1
