from pathlib import Path

import lightning.pytorch as pl
import pytest
from lightning.pytorch.callbacks import ModelCheckpoint

from tests.multitask.small_model import loader, make
from training.comparison.callbacks import ValidateAtEnd


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
