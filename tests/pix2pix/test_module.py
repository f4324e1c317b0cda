from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close
from torchmetrics.functional.image import structural_similarity_index_measure as ssim

from losses import GANLoss
from pix2pix import PatchDiscriminator, Pix2Pix, ResNetGenerator, UNetGenerator
from pix2pix.chunks import chunks_of
from pix2pix.metrics import ImageMetrics
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import changed, quiet_trainer, small_model, weights

# --- the step


class Watch(pl.Callback):
    """Counts G's and D's forwards, and notes who has gradients when an optimizer steps."""

    def __init__(self) -> None:
        self.forwards = {"generator": 0, "discriminator": 0}
        self.gradients: list[tuple[bool, bool]] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name in self.forwards:
            getattr(pl_module, name).register_forward_hook(lambda *_, name=name: self._count(name))

    def _count(self, name: str) -> None:
        self.forwards[name] += 1

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Any) -> None:
        self.gradients.append(
            (
                any(p.grad is not None for p in pl_module.generator.parameters()),
                any(p.grad is not None for p in pl_module.discriminator.parameters()),
            )
        )


def test_g_runs_once_in_a_step_and_d_gets_no_gradients_in_gs_part(tmp_path: Path) -> None:
    watch, model = Watch(), small_model()
    quiet_trainer(max_steps=1, callbacks=[watch]).fit(model, datamodule=small_data(tmp_path / "data"))
    assert watch.forwards == {"generator": 1, "discriminator": 3}
    d_step, g_step = watch.gradients
    assert d_step == (False, True)  # the picture was detached: nothing reached G
    d_gradients = [p.grad.clone() for p in model.discriminator.parameters() if p.grad is not None]
    assert g_step == (True, True)  # D's are those of its own step ...
    batch = next(iter(small_data(tmp_path / "data").train_dataloader()))
    with (
        patch.object(model, "log_dict"),
        patch.object(model, "manual_backward", lambda loss: loss.backward()),
    ):
        chunks = chunks_of(batch, 1)
        model._update_generator(chunks, [model(batch["input"])], adversarial=True)
    after = [p.grad for p in model.discriminator.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(d_gradients, after, strict=True))  # ... and G's left them alone
    assert all(p.requires_grad for p in model.parameters())


def test_unknown_pixels_do_not_count(tmp_path: Path) -> None:
    """Whatever the target holds there, L1 is the same, and D cannot tell the pictures apart by it."""
    losses, seen = [], []
    for filling in (-1.0, 1.0):
        torch.manual_seed(1)
        model = small_model()
        data = small_data(tmp_path / "data")
        collate = data.collate

        def masked(samples: list[Any], filling: float = filling, collate: Any = collate) -> dict[str, Any]:
            batch = collate(samples)
            batch["known"] = torch.rand(batch["target"][:, :1].shape, generator=torch.Generator().manual_seed(0)) > 0.3
            for side in ("input", "target"):
                batch[side] = torch.where(batch["known"], batch[side], 0.0 if side == "input" else filling)
            return batch

        data.collate = masked  # type: ignore[method-assign]
        model.discriminator.register_forward_pre_hook(lambda _, args: seen.append(args[0][:, 3:].detach()))
        trainer = quiet_trainer(max_steps=1)
        trainer.fit(model, datamodule=data)
        losses.append(trainer.callback_metrics["train/G_l1"])
        unknown = torch.rand(seen[0][:, :1].shape, generator=torch.Generator().manual_seed(0)) <= 0.3
        assert all((picture[unknown.expand_as(picture)] == filling).all() for picture in seen[-3:])
    assert losses[0] == losses[1]


def test_the_logged_losses_are_those_of_the_formula(tmp_path: Path) -> None:
    """One step replayed by hand with the networks as they were."""
    torch.manual_seed(1)
    model = small_model(norm="none")
    replay = small_model(norm="none").double()
    replay.load_state_dict(model.state_dict())
    trainer = quiet_trainer(max_steps=1, precision="64-true")
    trainer.fit(model, datamodule=small_data(tmp_path / "data"))
    logged = {name: value.item() for name, value in trainer.callback_metrics.items()}

    g, d, bce = replay.generator, replay.discriminator, F.binary_cross_entropy_with_logits
    batch = next(iter(small_data(tmp_path / "data").train_dataloader()))
    x, y = batch["input"].double(), batch["target"].double()
    fake = g(x)
    on_fake, on_real = d(torch.cat([x, fake.detach()], 1)), d(torch.cat([x, y], 1))
    d_fake, d_real = bce(on_fake, torch.zeros_like(on_fake)), bce(on_real, torch.ones_like(on_real))
    optimizer = torch.optim.Adam(d.parameters(), 2e-4, (0.5, 0.999))
    ((d_fake + d_real) / 2).backward()
    optimizer.step()
    on_fake_after = d(torch.cat([x, fake], 1))
    expected = {
        "train/D_fake": d_fake,
        "train/D_real": d_real,
        "train/D_output_fake": on_fake.mean(),
        "train/D_output_real": on_real.mean(),
        "train/G_gan": bce(on_fake_after, torch.ones_like(on_fake_after)),
        "train/G_l1": (y - fake).abs().mean(),
    }
    for name, value in expected.items():
        assert logged[name] == pytest.approx(value.item(), rel=1e-5), name


@contextmanager
def host_syncs_forbidden() -> Iterator[None]:
    def refuse(*_: Any) -> None:
        raise AssertionError("the step waits for the device")

    names = ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__", "nonzero")
    patches = [patch.object(Tensor, name, refuse) for name in names]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


@pytest.mark.parametrize("mode", ["vanilla", "lsgan", "wgan", "hinge"])
def test_no_host_sync_inside_the_step(mode: str, tmp_path: Path) -> None:
    model = small_model(gan_mode=mode)
    step = model.training_step

    def guarded(batch: Any, batch_idx: int) -> None:
        # Adam counts its steps on the CPU; on a GPU its fused form does so there.
        with host_syncs_forbidden(), patch.object(torch.optim.Adam, "step"):
            step(batch, batch_idx)

    with patch.object(model, "training_step", guarded):
        quiet_trainer(max_epochs=1).fit(model, datamodule=small_data(tmp_path / "data"))


@pytest.mark.parametrize("mode", ["vanilla", "lsgan", "wgan", "hinge"])
@pytest.mark.parametrize("conditional", [True, False])
def test_every_mode_trains_both_networks(mode: str, conditional: bool, tmp_path: Path) -> None:
    model = small_model(gan_mode=mode, conditional=conditional)
    before = weights(model.generator), weights(model.discriminator)
    trainer = quiet_trainer(max_steps=3)
    trainer.fit(model, datamodule=small_data(tmp_path / "data"))
    assert changed(before[0], model.generator)
    assert changed(before[1], model.discriminator)
    assert all(value.isfinite() for value in trainer.callback_metrics.values())
    assert ("train/D_penalty" in trainer.callback_metrics) == (mode == "wgan")


def test_label_smoothing_is_for_the_discriminators_real_pictures_alone() -> None:
    model = small_model(label_smoothing=0.1)
    score = torch.zeros(1)
    assert model.adversary.discriminator_loss.get_labels(score, True).item() == pytest.approx(0.9)
    assert model.adversary.discriminator_loss.get_labels(score, False).item() == 0
    assert model.adversary.generator_loss.get_labels(score, True).item() == 1


def test_the_epochs_learning_rates_reach_the_optimizers_and_the_log(tmp_path: Path) -> None:
    seen: list[list[float]] = []

    class Rates(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            seen.append([group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups])

    model = small_model(constant_epochs=1, decay_epochs=1, lr_generator=0.2, lr_discriminator=0.1)
    trainer = quiet_trainer(max_epochs=2, limit_train_batches=1, callbacks=[Rates()])
    trainer.fit(model, datamodule=small_data(tmp_path / "data"))
    assert seen == [[0.2, 0.1], [0.1, 0.05]]
    assert trainer.callback_metrics["lr/G"] == pytest.approx(0.1)
    assert trainer.callback_metrics["lr/D"] == pytest.approx(0.05)


def test_steps_count_batches(tmp_path: Path) -> None:
    model = small_model()
    data = small_data(tmp_path / "data")  # 5 batches in an epoch
    trainer = quiet_trainer(max_steps=7)
    trainer.fit(model, datamodule=data)
    assert trainer.global_step == 7
    assert [
        int(optimizer.state[group["params"][0]]["step"])
        for optimizer in trainer.optimizers
        for group in optimizer.param_groups
    ] == [7, 7]


# --- measures


def test_measures_under_autocast_are_those_without() -> None:
    output, target = torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1
    inside, outside = ImageMetrics(""), ImageMetrics("")
    outside.update(output, target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside.update(output, target)
    assert_close(inside.compute(), outside.compute(), rtol=0, atol=0)


def test_measures_by_hand() -> None:
    output, target = torch.full((2, 1, 16, 16), -1.0), torch.full((2, 1, 16, 16), -1.0)
    output[0], output[1] = 0.0, 1.0  # differences of 0.5 and 1 in [0, 1]
    metrics = ImageMetrics("val/")
    metrics.update(output[:1], target[:1])
    metrics.update(output[1:], target[1:])
    values = metrics.compute()
    assert values["val/l1"] == pytest.approx(0.75)
    assert values["val/psnr"] == pytest.approx(-10 * np.log10((0.5**2 + 1) / 2))
    assert values["val/ssim"] == pytest.approx(ssim(output / 2 + 0.5, target / 2 + 0.5, data_range=1.0).item())


# --- evaluation


def test_validation_does_not_touch_weights_or_running_statistics(tmp_path: Path) -> None:
    model, data = small_model(), small_data(tmp_path / "data")
    quiet_trainer(max_steps=2).fit(model, datamodule=data)
    before = weights(model)
    trainer = quiet_trainer(limit_val_batches=1.0)
    first, second = (trainer.validate(model, datamodule=data, verbose=False)[0] for _ in range(2))
    assert not changed(before, model)
    assert first == second  # no dropout
    assert set(first) == {"val/l1", "val/mae_units", "val/psnr", "val/ssim"}


# --- checkpoints


def test_labels_and_measures_are_not_in_the_state_dict() -> None:
    names = small_model().state_dict()
    assert {name.partition(".")[0] for name in names} == {"generator", "discriminator"}


@pytest.mark.parametrize("generator", [UNetGenerator, ResNetGenerator])
def test_a_checkpoint_made_from_python_rebuilds_the_model(generator: Any, tmp_path: Path) -> None:
    model = Pix2Pix(
        generator(
            base_channels=4,
            norm="instance",
            **({"levels": 3} if generator is UNetGenerator else {"blocks": 1}),
        ),
        PatchDiscriminator(3, 4, layers=1, spectral_norm=True),
        "lsgan",
        lambda_l1=10.0,
        conditional=False,
    )
    trainer = quiet_trainer(max_steps=1)
    trainer.fit(model, datamodule=small_data(tmp_path / "data"))
    trainer.save_checkpoint(tmp_path / "a.ckpt")

    assert torch.load(tmp_path / "a.ckpt", weights_only=True)["global_step"] == 1
    again = Pix2Pix.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    assert type(again.generator) is generator
    assert (again.adversary.mode, again.objective.factors["l1"], again.conditional) == ("lsgan", 10.0, False)
    assert not changed(weights(model), again)
    x = torch.randn(1, 3, 16, 16)
    assert torch.equal(model.eval()(x), again.eval()(x))
    other = Pix2Pix.load_from_checkpoint(tmp_path / "a.ckpt", lambda_l1=5.0)
    assert other.objective.factors["l1"] == 5.0


# --- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lambda_l1": -1.0}, "lambda_l1 must not be negative; got -1"),
        ({"lr_generator": float("nan")}, "lr_generator must not be negative; got nan"),
        ({"decay_epochs": -1}, "decay_epochs must not be negative"),
        ({"label_smoothing": 1.0}, r"label_smoothing must be in \[0, 1\); got 1"),
        ({"gan_mode": "gp"}, "mode must be one of"),
        ({"gan_mode": "hinge", "label_smoothing": 0.1}, "real_label has no meaning in mode hinge"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_model(**options)


def test_networks_that_do_not_fit_together_are_refused() -> None:
    generator = UNetGenerator(1, 2, 4, levels=3)
    with pytest.raises(ValueError, match="in_channels must be 3, for input and output together; got 6"):
        Pix2Pix(generator, PatchDiscriminator(6, 4))
    with pytest.raises(ValueError, match="in_channels must be 2, for the output alone; got 3"):
        Pix2Pix(generator, PatchDiscriminator(3, 4), conditional=False)


def test_wgan_with_batch_norm_in_the_discriminator_draws_a_warning() -> None:
    with pytest.warns(UserWarning, match="gan_mode wgan: .* norm to instance or none"):
        Pix2Pix(UNetGenerator(base_channels=4, levels=3), PatchDiscriminator(6, 4), gan_mode="wgan")
    assert isinstance(small_model(gan_mode="wgan").adversary.discriminator_loss, GANLoss)
