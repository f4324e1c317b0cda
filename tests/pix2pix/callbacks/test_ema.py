from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from pix2pix import Pix2Pix
from pix2pix.callbacks import GeneratorEMA
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer, small_model


class Weights(pl.Callback):
    """Keeps G's weights after each batch, and those that validation and test see."""

    def __init__(self) -> None:
        self.trained: list[Tensor] = []
        self.validated: list[Tensor] = []
        self.tested: list[Tensor] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        self.trained.append(pl_module.generator.encoder[0][0].weight.detach().clone())

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.validated.append(pl_module.generator.encoder[0][0].weight.detach().clone())

    def on_test_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.tested.append(pl_module.generator.encoder[0][0].weight.detach().clone())


def test_validation_and_checkpoints_have_the_average_and_training_goes_on_without(tmp_path: Path) -> None:
    model, weights = small_model(lr_generator=0.01), Weights()
    trainer = quiet_trainer(max_epochs=1, callbacks=[GeneratorEMA(0.5), weights], limit_val_batches=1.0)
    trainer.fit(model, datamodule=small_data(tmp_path / "data"))
    average = weights.trained[0]
    for trained in weights.trained[1:]:
        average = 0.5 * average + 0.5 * trained
    assert len(weights.trained) == 5
    assert_close(weights.validated[-1], average)
    assert torch.equal(model.generator.encoder[0][0].weight, weights.trained[-1])
    assert not torch.equal(weights.trained[-1], average)

    trainer.save_checkpoint(tmp_path / "a.ckpt")
    assert_close(Pix2Pix.load_from_checkpoint(tmp_path / "a.ckpt").generator.encoder[0][0].weight, average)


def test_the_test_at_the_end_of_a_run_sees_the_average(tmp_path: Path) -> None:
    model, weights, data = small_model(lr_generator=0.01), Weights(), small_data(tmp_path / "data")
    trainer = quiet_trainer(max_epochs=1, callbacks=[GeneratorEMA(0.5), weights], limit_val_batches=1.0)
    trainer.fit(model, datamodule=data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    trainer.test(model, datamodule=data, ckpt_path=tmp_path / "a.ckpt", verbose=False)
    assert torch.equal(weights.tested[0], weights.validated[-1])


def test_the_sanity_check_before_the_first_batch_sees_the_model_as_it_is(tmp_path: Path) -> None:
    model, weights = small_model(), Weights()
    first = model.generator.encoder[0][0].weight.detach().clone()
    trainer = quiet_trainer(
        max_steps=1, callbacks=[GeneratorEMA(), weights], limit_val_batches=1.0, num_sanity_val_steps=1
    )
    trainer.fit(model, datamodule=small_data(tmp_path / "data"))
    assert torch.equal(weights.validated[0], first)


def test_a_run_that_had_no_average_can_begin_one(tmp_path: Path) -> None:
    data, model = small_data(tmp_path / "data"), small_model()
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, datamodule=data)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    trained = model.generator.encoder[0][0].weight.detach().clone()

    again, weights = small_model(lr_generator=0.0, constant_epochs=5), Weights()
    trainer = quiet_trainer(max_epochs=2, callbacks=[GeneratorEMA(), weights], limit_val_batches=1.0)
    trainer.fit(again, datamodule=small_data(tmp_path / "data"), ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    assert_close(weights.validated[-1], trained)


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_bad_options_are_refused(decay: float) -> None:
    with pytest.raises(ValueError, match=r"decay must be in \[0, 1\)"):
        GeneratorEMA(decay)
