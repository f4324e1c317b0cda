"""Training in half precision."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch.testing import assert_close

from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import changed, quiet_trainer, small_model, weights


@pytest.mark.parametrize("mode", ["vanilla", "wgan"])
def test_weights_of_bfloat16_train(mode: str, tmp_path: Path) -> None:
    """With the gradient penalty of wgan, whose samples are float32 and whose discriminator is not."""
    trainer = quiet_trainer(max_epochs=1, precision="bf16-true", limit_val_batches=1.0, num_sanity_val_steps=0)
    model = small_model(gan_mode=mode)
    trainer.fit(model, datamodule=small_data(tmp_path / "data"))
    assert next(model.parameters()).dtype == torch.bfloat16
    assert all(value.isfinite() for value in trainer.callback_metrics.values())


def test_bf16_mixed_trains_and_measures_in_float32(tmp_path: Path) -> None:
    model, data = small_model(), small_data(tmp_path / "data")
    trainer = quiet_trainer(max_epochs=1, precision="bf16-mixed", limit_val_batches=1.0, num_sanity_val_steps=0)
    trainer.fit(model, datamodule=data)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    for name in (
        "train/G_gan",
        "train/G_l1",
        "train/D_real",
        "train/D_fake",
        "val/l1",
        "val/psnr",
        "val/mae_units",
        "val/ssim",
    ):
        assert trainer.callback_metrics[name].dtype == torch.float32, name
        assert trainer.callback_metrics[name].isfinite()


def test_fp16_with_a_gradient_scaler_trains_as_float32_does(tmp_path: Path) -> None:
    """16-mixed is bf16-mixed on a CPU, so the plugin is made by hand: real float16, a real scaler."""
    start = small_model(norm="none").state_dict()
    trained = []
    for plugins in [MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=1024))], []:
        model = small_model(norm="none")
        model.load_state_dict(start)
        trainer = quiet_trainer(max_steps=3, plugins=plugins)
        trainer.fit(model, datamodule=small_data(tmp_path / "data", color_jitter=0.0))
        trained.append(weights(model))
    half, single = trained
    moved = {name: single[name] - start[name] for name in start}
    # Adam's first steps are lr times the gradient's sign: nearly all of them agree.
    agree = torch.cat([(torch.sign(half[n] - start[n]) == torch.sign(moved[n])).flatten() for n in start])
    assert agree.float().mean() > 0.95


def test_the_losses_are_the_same_in_every_precision(tmp_path: Path) -> None:
    """Over 20 steps at the default learning rates: within 0.1 % in float16 and 0.3 % in bfloat16."""
    start = small_model(norm="instance").state_dict()
    options: dict[str, dict[str, Any]] = {
        "32": {},
        "16": {"plugins": [MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=1024))]},
        "bf16": {"precision": "bf16-mixed"},
    }
    found = {}
    for name, own in options.items():
        model = small_model(norm="instance")
        model.load_state_dict(start)
        losses = Losses()
        trainer = quiet_trainer(max_steps=20, max_epochs=-1, callbacks=[losses], **own)
        trainer.fit(model, datamodule=small_data(tmp_path / "data", color_jitter=0.0))
        found[name] = torch.tensor(losses.rows)
    assert_close(found["16"], found["32"], rtol=1e-3, atol=0)
    assert_close(found["bf16"], found["32"], rtol=3e-3, atol=0)
    assert not torch.equal(found["bf16"], found["32"])


class Losses(pl.Callback):
    """Keeps the losses of each step."""

    def __init__(self) -> None:
        self.rows: list[list[float]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, model: Any, *_: Any) -> None:
        names = ("train/G_l1", "train/G_gan", "train/D_real", "train/D_fake")
        self.rows.append([model.step_values[name].item() for name in names])


def test_each_step_of_d_in_a_batch_sees_the_weights_of_the_one_before(tmp_path: Path) -> None:
    """Autocast keeps the weights that it has cast for as long as the batch lasts."""
    model = small_model(norm="none", d_steps=2, lr_discriminator=0.1)
    seen: list[float] = []
    judge = model.adversary.of_discriminator

    def noted(*inputs: Any) -> Any:
        loss, found = judge(*inputs)
        seen.append(found["output_real"].item())
        return loss, found

    model.adversary.of_discriminator = noted  # type: ignore[method-assign]
    quiet_trainer(max_steps=1, precision="bf16-mixed").fit(model, datamodule=small_data(tmp_path / "data"))
    assert len(seen) == 2
    assert seen[0] != seen[1]


def test_an_overflow_in_fp16_skips_the_step_and_lowers_the_scale(tmp_path: Path) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    model = small_model(norm="none")
    before = weights(model)
    trainer = quiet_trainer(max_steps=1, plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
    trainer.fit(model, datamodule=small_data(tmp_path / "data"))
    assert not changed(before, model)
    assert scaler.get_scale() == 2.0**38  # halved by each of the two steps
