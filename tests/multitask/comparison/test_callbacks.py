from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from multitask.comparison import callbacks
from multitask.comparison.callbacks import MEASURED, WARM_UP, StepTimer, ValidateAtEnd
from tests.multitask.small_model import loader, make


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


@pytest.mark.filterwarnings("ignore:.*could not find the monitored key")  # before the first validation
@pytest.mark.parametrize(("every", "validated"), [(1, [5, 10, 13]), (2, [10, 13])])
def test_a_run_validates_at_its_end_also_within_an_epoch(every: int, validated: list[int], tmp_path: Path) -> None:
    """Of 13 steps in epochs of 5; the checkpoint of the last is of what was validated."""
    steps: list[int] = []

    class Watch(pl.Callback):
        def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            steps.append(trainer.global_step)

    saved = ModelCheckpoint(
        tmp_path, monitor="val/loss", save_top_k=-1, save_on_train_epoch_end=True, filename="{step}"
    )
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=-1,
        max_steps=13,
        check_val_every_n_epoch=every,
        num_sanity_val_steps=0,
        callbacks=[Watch(), ValidateAtEnd(), saved],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(make(), loader(20), loader(4))
    assert steps == validated
    assert (tmp_path / "step=13.ckpt").is_file()
    assert saved.current_score == trainer.callback_metrics["val/loss"]
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0
