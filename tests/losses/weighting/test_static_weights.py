import math

import pytest
import torch

from losses import FixedWeighting, time_average


def test_the_average_of_a_run_becomes_the_weights_of_the_next() -> None:
    averages = time_average({"seg": [1, 1.5, 2], "depth": (1.0, 0.5)})
    assert averages == {"seg": 1.5, "depth": 0.75}
    weighting = FixedWeighting(("depth", "seg"), weights=averages)
    assert weighting({"seg": torch.tensor(1.0), "depth": torch.tensor(2.0)}).item() == 1.5 + 1.5


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_a_task_without_finite_weights_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"weights must hold finite numbers for each task, .* for seg"):
        time_average({"depth": [1.0], "seg": values})
