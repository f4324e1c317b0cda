import math

import pytest
import torch

from tests.training.callbacks.test_health import Still
from training.callbacks import Epoch, Gap


def gap_of(train: list[float], val: float | None, **options: float) -> tuple[Gap, dict[str, float]]:
    """The sign, and its values after an epoch with these losses."""
    names = [f"train/{index}" for index in range(len(train))]
    gap = Gap("loss", names, "val/loss", 2.0, "stop", **options)
    measured = gap.in_step(Still(), {name: torch.tensor(value) for name, value in zip(names, train, strict=True)})
    assert measured.keys() == set(gap.averaged)
    logged = {} if val is None else {"val/loss": torch.tensor(val)}
    return gap, gap.values(Epoch({name: value.item() for name, value in measured.items()}, logged, 1))


def test_it_compares_validation_with_the_sum_of_training() -> None:
    gap, values = gap_of([0.1, 0.3], 1.0, scale=2.0)
    assert values == {"gap/loss": pytest.approx(5.0)}  # 2 x 1.0 / 0.4
    expected = "loss is 5.0 times as high in validation as in training: the training samples are learned by heart; stop"
    assert gap.warning(values) == expected


def test_it_is_silent_at_its_limit_without_validation_and_without_a_limit() -> None:
    gap, values = gap_of([0.5], 1.0)
    assert values["gap/loss"] == 2.0
    assert gap.warning(values) is None
    gap, values = gap_of([0.5], None)
    assert math.isnan(values["gap/loss"])
    assert gap.warning(values) is None
    assert Gap("loss", [], "val/loss", None, "stop").warning({"gap/loss": 9.0}) is None


def test_a_training_loss_that_was_not_logged_is_unknown() -> None:
    gap = Gap("loss", ["train/loss"], "val/loss", 2.0, "stop")
    assert gap.in_step(Still(), {}) == {}
    assert math.isnan(
        gap.values(Epoch({"gap/loss/train/loss": math.nan}, {"val/loss": torch.tensor(1.0)}, 1))["gap/loss"]
    )
    assert math.isnan(gap.values(Epoch({"gap/loss/train/loss": 0.0}, {"val/loss": torch.tensor(1.0)}, 1))["gap/loss"])
