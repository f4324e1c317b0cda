from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.training.programs import PROGRAMS, Program


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    program = PROGRAMS[request.param]
    program.enter(tmp_path, monkeypatch)
    yield program
    torch.use_deterministic_algorithms(False)
