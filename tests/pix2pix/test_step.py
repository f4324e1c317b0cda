"""The step of G and D with what the objective may have beside the defaults."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn
from torch.optim import Adam
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.testing import assert_close

from losses import GANLoss, L1Loss, MSELoss, UncertaintyWeighting, l1_loss
from pix2pix import R1, R2, Pix2Pix
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer, small_model


def trained(tmp_path: Path, steps: int = 2, start: Pix2Pix | None = None, **options: Any) -> tuple[Pix2Pix, pl.Trainer]:
    """A small model after a few steps, from the weights of another if one is given."""
    in_trainer = {
        name: options.pop(name) for name in ("plugins", "callbacks", "precision", "max_epochs") if name in options
    }
    batch_size = options.pop("batch_size", 4)
    model = small_model(**options)
    if start is not None:
        model.load_state_dict(start.state_dict(), strict=False)
    trainer = quiet_trainer(**({"max_steps": steps} | in_trainer))
    trainer.fit(model, datamodule=small_data(tmp_path / "data", batch_size=batch_size, color_jitter=0.0))
    return model, trainer


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_the_default_step_is_to_the_bit_that_of_the_paper(tmp_path: Path) -> None:
    """G once; D on its output and the target, half of the sum; G against the updated D, plus 100 times L1."""
    torch.manual_seed(3)
    start = small_model()
    batches: list[Any] = []

    class Collect(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, model: pl.LightningModule, batch: Any, index: int) -> None:
            batches.append(batch)

    model, _ = trained(tmp_path, start=start, callbacks=[Collect()])
    generator, discriminator = copy.deepcopy(start.generator).train(), copy.deepcopy(start.discriminator).train()
    of_g, of_d = (Adam(m.parameters(), 2e-4, (0.5, 0.999), fused=True) for m in (generator, discriminator))
    gan = GANLoss()
    for batch in batches:
        x, y = batch["input"], batch["target"]
        fake = generator(x)
        on_fake = discriminator(torch.cat([x, fake.detach()], 1))
        on_real = discriminator(torch.cat([x, y], 1))
        of_d.zero_grad()
        ((gan(on_fake, False) + gan(on_real, True)) / 2).backward()
        of_d.step()
        discriminator.requires_grad_(False)
        judged = discriminator(torch.cat([x, fake], 1))
        of_g.zero_grad()
        (gan(judged, True, for_discriminator=False) + 100.0 * l1_loss(fake, y)).backward()
        of_g.step()
        discriminator.requires_grad_(True)
    for ours, plain in (model.generator, generator), (model.discriminator, discriminator):
        for (name, mine), theirs in zip(ours.state_dict().items(), plain.state_dict().values(), strict=True):
            assert torch.equal(mine, theirs), name


def test_terms_are_added_with_their_weights(tmp_path: Path) -> None:
    """A second L1 of weight 100 beside one of 0 is the default; so is one of 40 beside 60."""
    start = small_model(norm="none")
    plain, _ = trained(tmp_path, start=start, norm="none")
    for lambda_l1, weight in (0.0, 100.0), (60.0, 40.0):
        split, trainer = trained(
            tmp_path,
            start=start,
            norm="none",
            lambda_l1=lambda_l1,
            terms={"again": L1Loss()},
            weights={"again": weight},
        )
        assert_close(state(split.generator), state(plain.generator), rtol=1e-4, atol=1e-6)
        assert trainer.callback_metrics["train/G_again"] == trainer.callback_metrics["train/G_l1"]


def test_a_ramp_scales_a_term_by_its_epoch(tmp_path: Path) -> None:
    start = small_model(norm="none")
    half, _ = trained(tmp_path, start=start, norm="none", lambda_l1=100.0, ramps={"l1": 2})
    fixed, _ = trained(tmp_path, start=start, norm="none", lambda_l1=50.0)
    assert_close(state(half.generator), state(fixed.generator), rtol=0, atol=0)


def test_g_warms_up_without_d(tmp_path: Path) -> None:
    start = small_model()
    before = state(start.discriminator)
    warm, trainer = trained(tmp_path, start=start, warm_up_epochs=1)
    assert_close(state(warm.discriminator), before, rtol=0, atol=0)
    assert "train/G_gan" not in trainer.callback_metrics
    assert "train/D_real" not in trainer.callback_metrics
    both, trainer = trained(tmp_path, start=start, warm_up_epochs=1, max_epochs=2, steps=-1)
    assert not torch.equal(both.discriminator.layers[0].weight, start.discriminator.layers[0].weight)
    assert "train/G_gan" in trainer.callback_metrics


def test_d_steps_updates_d_that_often(tmp_path: Path) -> None:
    model, trainer = trained(tmp_path, steps=2, d_steps=2)
    _, of_d = trainer.optimizers
    assert int(of_d.state[model.discriminator.layers[0].weight]["step"]) == 4
    assert trainer.global_step == 2


# --- clipping, and steps that are left out


def test_gradients_are_clipped_to_their_norm_together(tmp_path: Path) -> None:
    norms = []

    def watch(optimizer: Adam, *_: Any) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norms.append(torch.stack([gradient.norm() for gradient in gradients]).norm().item())

    hook = register_optimizer_step_post_hook(watch)
    trained(tmp_path, clip_norm=0.01)
    assert norms == pytest.approx([0.01] * 4, rel=1e-3)  # D's and G's
    norms.clear()
    trained(tmp_path)
    assert min(norms) > 0.02
    hook.remove()


def test_clipping_sees_the_gradients_without_the_scale_of_fp16(tmp_path: Path) -> None:
    start, found = small_model(norm="none"), []
    for scale in 1.0, 1024.0:
        plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=scale))
        model, _ = trained(tmp_path, start=start, norm="none", clip_norm=0.05, plugins=[plugin])
        found.append(torch.cat([tensor.flatten() for tensor in state(model.generator).values()]))
    single, _ = trained(tmp_path, start=start, norm="none", clip_norm=0.05)
    found.append(torch.cat([tensor.flatten() for tensor in state(single.generator).values()]))
    before = torch.cat([tensor.flatten() for tensor in state(start.generator).values()])
    for other in found[1:]:
        agree = torch.sign(found[0] - before) == torch.sign(other - before)
        assert agree.float().mean() > 0.9


class Poison(pl.Callback):
    """Puts a NaN into the inputs of one step."""

    def on_train_batch_start(self, trainer: pl.Trainer, model: pl.LightningModule, batch: Any, index: int) -> None:
        if index == 1:
            batch["input"][0, 0, 0, 0] = float("nan")


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_a_step_with_gradients_that_are_not_finite_is_left_out(precision: str, tmp_path: Path) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=1024)
    plugins = (
        {"plugins": [MixedPrecision("16-mixed", "cpu", scaler)]}
        if precision == "16-mixed"
        else {"precision": precision}
    )
    start = small_model(norm="none")
    with_nan, trainer = trained(tmp_path, start=start, norm="none", steps=2, callbacks=[Poison()], **plugins)
    assert trainer.callback_metrics["train/skipped"] == 2  # D's and G's
    if precision == "16-mixed":
        plugins["plugins"] = [MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=1024))]
    without, _ = trained(tmp_path, start=start, norm="none", steps=1, **plugins)
    assert_close(state(with_nan), state(without), rtol=0, atol=0)
    assert [int(o.state[o.param_groups[0]["params"][0]]["step"]) for o in trainer.optimizers] == [1, 1]


def test_the_count_of_skipped_steps_is_in_the_checkpoint(tmp_path: Path) -> None:
    model, trainer = trained(tmp_path, norm="none", steps=2, callbacks=[Poison()])
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    assert Pix2Pix.load_from_checkpoint(tmp_path / "a.ckpt").skipped == 2
    assert "skipped" not in model.state_dict()


# --- a batch in parts


@pytest.mark.parametrize("options", [{}, {"gan_mode": "lsgan", "d_steps": 2}, {"terms": {"mse": MSELoss()}}])
@pytest.mark.parametrize("parts", [2, 3])
def test_a_batch_in_parts_is_the_batch(parts: int, options: dict[str, Any], tmp_path: Path) -> None:
    """Also where the parts are of unequal size, 2, 2 and 0 or 2 and 2 of 4 pairs, and at the end of the epoch."""
    start = small_model(norm="none", **options).double()
    found = []
    for accumulate in (1, parts):
        model = small_model(norm="none", accumulate=accumulate, **options).double()
        model.load_state_dict(start.state_dict())
        trainer = quiet_trainer(max_epochs=1, precision="64-true")
        trainer.fit(model, datamodule=small_data(tmp_path / "data", batch_size=4))
        found.append((state(model), trainer.callback_metrics))
    (whole, logged), (split, also_logged) = found
    assert_close(split, whole, rtol=1e-9, atol=1e-12)
    for name in ("train/G_gan", "train/G_l1", "train/D_real", "train/D_output_fake"):
        assert also_logged[name] == pytest.approx(logged[name].item(), rel=1e-6)


def test_g_sees_the_same_dropout_and_moves_its_statistics_once_for_each_part(tmp_path: Path) -> None:
    """Its backward pass runs it again."""
    model = small_model(accumulate=2)
    layer = nn.Dropout(0.5)
    model.generator.decoder[0].append(layer)
    outputs: list[Tensor] = []
    layer.register_forward_hook(lambda module, inputs, output: outputs.append(output.detach().clone()))
    norm = next(module for module in model.generator.modules() if isinstance(module, nn.BatchNorm2d))
    trainer = quiet_trainer(max_steps=1)
    trainer.fit(model, datamodule=small_data(tmp_path / "data", batch_size=4))
    first, second, first_again, second_again = outputs
    assert torch.equal(first, first_again)
    assert torch.equal(second, second_again)
    assert norm.num_batches_tracked == 2


def test_in_parts_needs_less_memory_for_g(tmp_path: Path) -> None:
    """Of the activations of G only the outputs of the parts stay until the backward pass."""
    kept: dict[int, int] = {}
    for accumulate in (1, 2):
        model = small_model(accumulate=accumulate)
        sizes: list[int] = []

        def pack(tensor: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        make = model._make

        def watched(chunk: Any, make: Callable[[Any], Tensor] = make, pack: Any = pack) -> Tensor:
            with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
                return make(chunk)

        with patch.object(model, "_make", watched):
            quiet_trainer(max_steps=1).fit(model, datamodule=small_data(tmp_path / "data", batch_size=4))
        kept[accumulate] = sum(sizes)
    assert kept[2] < kept[1] / 5  # the inputs alone


# --- a weighting


def test_uncertainty_weighs_the_terms(tmp_path: Path) -> None:
    """Its first weights are 1, and what it learns is in the log."""
    start = small_model(norm="none")
    model, trainer = trained(tmp_path, start=start, norm="none", weighting=UncertaintyWeighting, lambda_l1=10.0)
    logged = trainer.callback_metrics
    assert {"weight/gan", "weight/l1", "log_variance/gan"} <= logged.keys()
    weighting = model.objective.weighting
    assert isinstance(weighting, UncertaintyWeighting)
    assert weighting.tasks == ("gan", "l1")
    assert weighting.log_variances[1] > 0  # ten times L1 is well above 1
    first, _ = trained(tmp_path, start=start, norm="none", steps=1, weighting=UncertaintyWeighting, lambda_l1=10.0)
    plain, _ = trained(tmp_path, start=start, norm="none", steps=1, lambda_l1=10.0)
    assert_close(state(first.generator), state(plain.generator), rtol=0, atol=0)


# --- penalties


def test_r1_and_r2_are_added_in_every_kth_step(tmp_path: Path) -> None:
    options = {"norm": "none", "penalties": {"r1": R1(0.5, every=2), "r2": R2(0.25, every=3)}}
    start = small_model(**options)
    seen: list[set[str]] = []

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, model: Any, *_: Any) -> None:
            seen.append({name for name in ("r1", "r2") if f"train/D_{name}" in model.step_values})

    trained(tmp_path, steps=5, batch_size=2, start=start, callbacks=[Watch()], **options)
    assert seen[0] == {"r1", "r2"}


def test_a_checkpoint_holds_the_terms_the_penalties_and_the_weighting(tmp_path: Path) -> None:
    options = {"terms": {"mse": MSELoss()}, "penalties": {"r1": R1(0.5, every=2)}, "weighting": UncertaintyWeighting}
    model, trainer = trained(tmp_path, norm="none", **options)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = Pix2Pix.load_from_checkpoint(tmp_path / "a.ckpt")
    assert list(again.objective.losses) == ["l1", "mse"]
    (r1,) = again.adversary.penalties.values()
    assert isinstance(r1, R1)
    assert (r1.weight, r1.every, r1.scores) == (0.5, 2, "sum")
    assert_close(state(again), state(model), rtol=0, atol=0)
