from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils.data import DataLoader

from inference import InferenceMode
from pix2pix import Pix2Pix
from pix2pix.callbacks import GeneratorEMA
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer, small_model

RECALIBRATED = InferenceMode("recalibrated")


class Seen(pl.Callback):
    """Keeps the first running mean that validation sees, and whether it measures in evaluation mode."""

    def __init__(self) -> None:
        self.means: list[Tensor] = []

    def on_validation_batch_start(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        self.means.append(pl_module.generator.encoder[1][2].running_mean.clone())


def fit(folder: Path, *callbacks: pl.Callback, **options: Any) -> tuple[Pix2Pix, pl.Trainer]:
    torch.manual_seed(0)
    model = small_model(lr_generator=0.01, **options)
    trainer = quiet_trainer(max_epochs=2, callbacks=list(callbacks), limit_val_batches=1.0, num_sanity_val_steps=1)
    trainer.fit(model, datamodule=small_data(folder / "data"))
    return model, trainer


def mean_over_training(model: Pix2Pix, folder: Path) -> Tensor:
    """Of what the first batch norm sees, over all training pairs as they are in evaluation."""
    pairs = small_data(folder / "data").dataset("train")
    inputs = torch.stack([pairs[0, index]["input"] for index in range(len(pairs))])
    with torch.no_grad():
        return model.generator.encoder[1][:2](model.generator.encoder[0](inputs)).mean((0, 2, 3))


@pytest.mark.parametrize("callbacks", [[], [GeneratorEMA(0.5)]], ids=["trained", "averaged"])
def test_validation_and_the_checkpoint_have_the_statistics_of_all_training_pairs(
    callbacks: list[pl.Callback], tmp_path: Path
) -> None:
    seen = Seen()
    _, trainer = fit(tmp_path, *callbacks, seen, inference=RECALIBRATED)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    saved = Pix2Pix.load_from_checkpoint(tmp_path / "a.ckpt")
    expected = mean_over_training(saved, tmp_path)
    assert_close(saved.generator.encoder[1][2].running_mean, expected)
    assert_close(seen.means[-1], expected)
    assert not torch.allclose(seen.means[0], seen.means[-1])  # each validation its own


def test_training_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    ours, _ = fit(tmp_path, inference=RECALIBRATED)
    plain, _ = fit(tmp_path)
    for name, parameter in ours.named_parameters():
        assert torch.equal(parameter, plain.get_parameter(name)), name
    statistic = "generator.encoder.1.2.running_mean"
    assert not torch.equal(ours.get_buffer(statistic), plain.get_buffer(statistic))


def test_statistics_that_training_has_moved_are_not_taken_for_recalibrated_ones(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trainer = quiet_trainer(max_steps=1)  # without validation
    trainer.fit(small_model(inference=RECALIBRATED), datamodule=small_data(tmp_path / "data"))
    trainer.save_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    with pytest.raises(ValueError, match="norm recalibrated: this checkpoint was not written after a validation in"):
        Pix2Pix.load_from_checkpoint(tmp_path / "a.ckpt")
    assert Pix2Pix.load_from_checkpoint(tmp_path / "a.ckpt", inference="standard").inference == InferenceMode()

    trainer.save_checkpoint(tmp_path / "b.ckpt")
    model = small_model(inference=RECALIBRATED)
    longer = quiet_trainer(max_epochs=2, limit_val_batches=1.0)
    longer.fit(model, datamodule=small_data(tmp_path / "data"), ckpt_path=tmp_path / "b.ckpt", weights_only=True)
    assert model.recalibrated


def test_without_a_data_module_it_is_refused(tmp_path: Path) -> None:
    pairs = small_data(tmp_path / "data").dataset("val")
    loader = DataLoader([pairs[0, index] for index in range(2)], batch_size=2)
    trainer = quiet_trainer(max_epochs=1, limit_val_batches=1.0, num_sanity_val_steps=0)
    with pytest.raises(ValueError, match="needs the training pairs: give the trainer a data module"):
        trainer.fit(small_model(inference=RECALIBRATED), loader, loader)
