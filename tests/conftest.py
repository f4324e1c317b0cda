import os
from collections.abc import Iterator

import pytest
import torch

os.environ["WANDB_MODE"] = "offline"  # whatever a test forgets to say, nothing reaches for a network


@pytest.fixture(autouse=True)
def _reproducible() -> Iterator[None]:
    """One thread (two stall when another process computes), one seed, and no silently random kernel."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
