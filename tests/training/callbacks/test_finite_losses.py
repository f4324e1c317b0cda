from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from training.callbacks import FiniteLosses


class Model(pl.LightningModule):
    """Logs a loss that is NaN in some steps, and a metric that is NaN in some epochs."""

    def __init__(self, bad: range, bad_epochs: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.bad, self.bad_epochs = bad, bad_epochs

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        value = torch.tensor(float("nan") if self.global_step + 1 in self.bad else 1.0)
        self.log("train/loss", value)
        self.log("train/fine", torch.tensor(1.0))
        loss: Tensor = self.layer(batch).mean()
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        bad = self.current_epoch in self.bad_epochs
        self.log("val/l1", torch.tensor(float("nan") if bad else 1.0 / (1 + self.current_epoch)))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(model: Model, folder: Path, epochs: int = 3, callbacks: tuple[pl.Callback, ...] = ()) -> pl.Trainer:
    data = DataLoader(torch.rand(10, 1))
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        log_every_n_steps=2,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(each, ModelCheckpoint) for each in callbacks),
        num_sanity_val_steps=0,
        default_root_dir=folder,
        callbacks=[FiniteLosses(patience=6, advice="try less"), *callbacks],
    )
    trainer.fit(model, data, data)
    return trainer


def test_a_run_whose_loss_stays_nan_ends_with_a_line_that_says_since_when(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^train/loss: not finite since step 12; try less$"):
        fit(Model(range(11, 40)), tmp_path)


def test_a_loss_that_comes_back_ends_nothing(tmp_path: Path) -> None:
    assert fit(Model(range(11, 17)), tmp_path).global_step == 30


def test_what_it_has_seen_is_in_the_checkpoint() -> None:
    callback = FiniteLosses()
    callback.load_state_dict({"since": 7})
    assert callback.state_dict() == {"since": 7}


def test_the_best_checkpoint_is_never_replaced_by_a_nan(tmp_path: Path) -> None:
    best = ModelCheckpoint(
        tmp_path, "best", monitor="val/l1", save_on_train_epoch_end=True, enable_version_counter=False
    )
    fit(Model(range(0), bad_epochs=(2,)), tmp_path, epochs=3, callbacks=(best,))
    assert torch.load(tmp_path / "best.ckpt", weights_only=True)["epoch"] == 1
    first = ModelCheckpoint(
        tmp_path / "a", "best", monitor="val/l1", save_on_train_epoch_end=True, enable_version_counter=False
    )
    fit(Model(range(0), bad_epochs=(0,)), tmp_path, epochs=3, callbacks=(first,))
    assert torch.load(tmp_path / "a" / "best.ckpt", weights_only=True)["epoch"] == 2


def test_a_patience_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="patience must be at least 1; got 0"):
        FiniteLosses(0)
