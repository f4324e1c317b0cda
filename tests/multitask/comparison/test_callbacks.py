from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from multitask.comparison import callbacks
from multitask.comparison.callbacks import MEASURED, WARM_UP, StepTimer


def trainer_of(logged: list[dict[str, float]]) -> Any:
    logger = SimpleNamespace(log_metrics=lambda found, step: logged.append(found))
    return SimpleNamespace(loggers=[logger], estimated_stepping_batches=220, should_stop=False, global_step=0)


def test_a_step_is_timed_without_the_first_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[dict[str, float]] = []
    trainer, timer, none = trainer_of(logged), StepTimer(), torch.optim.SGD([torch.zeros(1)])
    clock = [100.0] * WARM_UP + [3.0 * step for step in range(MEASURED + 1)]  # the first five are of no account
    monkeypatch.setattr(callbacks, "_now", lambda: clock[trainer.global_step])
    for step in range(WARM_UP + MEASURED + 1):
        assert not trainer.should_stop
        trainer.global_step = step
        timer.on_before_optimizer_step(trainer, pl.LightningModule(), none)
    assert logged == [{"run/seconds": 3.0, "run/steps": 220}]
    assert trainer.should_stop
    timer.on_train_end(trainer, pl.LightningModule())


def test_a_run_too_short_to_be_timed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the budget time needs runs of more than 25 steps to measure one$"):
        StepTimer().on_train_end(trainer_of([]), pl.LightningModule())
