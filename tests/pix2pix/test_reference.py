"""Our networks, losses and updates are the reference's, number for number, through the real Trainer."""

import json
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
from torch import Tensor
from torch.utils.data import DataLoader

from pix2pix import PatchDiscriminator, Pix2Pix, UNetGenerator
from pix2pix.reference_weights import load_reference_weights
from tests.pix2pix.reference import filled, patch_names, pictures, unet_names
from tests.pix2pix.training import quiet_trainer

CASES = json.loads((Path(__file__).parent / "reference_steps.json").read_text())


class Recorder(pl.Callback):
    """Keeps what each step logged, and the picture that G made in it."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []
        self.fakes: list[Tensor] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.generator.register_forward_hook(lambda *call: self.fakes.append(call[-1].detach().clone()))

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.steps.append({name: value.item() for name, value in trainer.callback_metrics.items()})


@pytest.mark.parametrize("case", CASES, ids=[f"{case['netG']}-{case['norm']}" for case in CASES])
def test_four_training_steps(case: dict[str, Any]) -> None:
    generator = UNetGenerator(
        case["in_channels"], case["out_channels"], case["nf"], levels=8, norm=case["norm"], dropout=0.0
    )
    discriminator = PatchDiscriminator(
        case["in_channels"] + case["out_channels"], case["nf"], layers=3, norm=case["norm"]
    )
    assert sum(p.numel() for p in generator.parameters()) == case["params_G"]
    assert sum(p.numel() for p in discriminator.parameters()) == case["params_D"]
    for network, names in (
        (generator, unet_names(8, case["norm"])),
        (discriminator, patch_names(case["norm"])),
    ):
        shapes = [tensor.shape for tensor in network.state_dict().values()]
        load_reference_weights(network.double(), filled(names, shapes))

    pair = {
        "input": pictures(case["batch"], case["in_channels"], case["size"], phase=0.3),
        "target": pictures(case["batch"], case["out_channels"], case["size"], phase=1.1),
    }
    samples = [{key: value[n] for key, value in pair.items()} for n in range(case["batch"])]
    recorder = Recorder()
    trainer = quiet_trainer(max_steps=4, precision="64-true", callbacks=[recorder])
    model = Pix2Pix(generator, discriminator, case["gan_mode"])
    trainer.fit(model, DataLoader(samples, batch_size=case["batch"]))

    assert len(recorder.steps) == len(case["steps"]) == trainer.global_step == 4
    assert len(recorder.fakes) == 4  # G runs once in a step
    size = case["size"]
    for step, (ours, fake, theirs) in enumerate(zip(recorder.steps, recorder.fakes, case["steps"], strict=True)):
        near = lambda value, step=step: pytest.approx(value, rel=1e-9 if step == 0 else 1e-6)  # noqa: E731
        assert ours["train/G_gan"] == near(theirs["G_GAN"])
        assert 100 * ours["train/G_l1"] == near(theirs["G_L1"])  # theirs includes lambda
        assert ours["train/D_real"] == near(theirs["D_real"])
        assert ours["train/D_fake"] == near(theirs["D_fake"])
        assert fake.mean().item() == near(theirs["fake_mean"])
        assert fake.std().item() == near(theirs["fake_std"])
        pixels = fake[0, 0, 0, 0], fake[-1, -1, size // 2, size // 3], fake[0, 0, -1, -1]
        assert [pixel.item() for pixel in pixels] == near(theirs["px"])
