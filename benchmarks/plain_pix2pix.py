"""The training step of pix2pix written plainly in PyTorch, as pytorch-CycleGAN-and-pix2pix does it, to time ours by.

The networks are the paper's: a U-Net whose activations work in place, and the PatchGAN of 70 x 70. Their weights come
in the order of ours.
"""

import io
import logging
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stderr, redirect_stdout
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from pix2pix import PatchDiscriminator, Pix2Pix, UNetGenerator
from training.callbacks import ExactResume, FiniteLosses, ProgressBar

LAMBDA = 100.0


class PlainUNet(nn.Module):
    """The U-Net: in each level an activation, a convolution of stride 2 and a norm; dropout in the decoder's middle."""

    def __init__(self, channels: int = 64, levels: int = 8, dropout: float = 0.5) -> None:
        super().__init__()
        widths = [min(2**level, 8) * channels for level in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(widths):
            outermost, innermost = level == 0, level == levels - 1
            before = 3 if outermost else widths[level - 1]
            down: list[nn.Module] = [] if outermost else [nn.LeakyReLU(0.2, inplace=True)]
            down.append(nn.Conv2d(before, width, 4, 2, 1, bias=False))
            up: list[nn.Module] = [nn.ReLU(inplace=True)]
            up.append(nn.ConvTranspose2d(width if innermost else 2 * width, before, 4, 2, 1, bias=outermost))
            if not outermost:
                if not innermost:
                    down.append(nn.BatchNorm2d(width))
                up.append(nn.BatchNorm2d(before))
                if not innermost and level >= 4:
                    up.append(nn.Dropout(dropout))
            else:
                up.append(nn.Tanh())
            self.down.append(nn.Sequential(*down))
            self.up.insert(0, nn.Sequential(*up))

    def forward(self, x: Tensor) -> Tensor:
        """Translate N x 3 x H x W."""
        skips: list[Tensor] = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = skips.pop()
        for up in self.up:
            x = up(x)
            if skips:
                x = torch.cat([skips.pop(), x], 1)
        return x


def plain_patch_gan(channels: int = 64) -> nn.Sequential:
    """Build the PatchGAN of 70 x 70 for input and picture together."""
    layers: list[nn.Module] = [nn.Conv2d(6, channels, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
    for before, after, stride in (
        (channels, 2 * channels, 2),
        (2 * channels, 4 * channels, 2),
        (4 * channels, 8 * channels, 1),
    ):
        layers += [
            nn.Conv2d(before, after, 4, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(8 * channels, 1, 4, 1, 1))


class PlainStep:
    """G and D, their two Adams, and the step.

    Args:
        generator: G.
        discriminator: D.
        fused: whether Adam is torch's fused one; the reference leaves torch's default.
        autocast: the context of the forward passes.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        fused: bool | None = None,
        autocast: AbstractContextManager[Any] | None = None,
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.autocast = autocast or nullcontext()
        self.optimizers = [
            torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=fused)
            for network in (generator, discriminator)
        ]

    def __call__(self, source: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Train D, then G, on a batch; return the losses."""
        for_generator, for_discriminator = self.optimizers
        with self.autocast:
            made = self.generator(source)

        self.discriminator.requires_grad_(True)
        for_discriminator.zero_grad()
        with self.autocast:
            of_fake = self.judge(source, made.detach(), 0.0)
            of_real = self.judge(source, target, 1.0)
        ((of_fake + of_real) * 0.5).backward()
        for_discriminator.step()

        self.discriminator.requires_grad_(False)
        for_generator.zero_grad()
        with self.autocast:
            gan, l1 = self.of_generator(source, made, target)
        (gan + LAMBDA * l1).backward()
        for_generator.step()
        return {"D_fake": of_fake, "D_real": of_real, "G_gan": gan, "G_l1": l1}

    def judge(self, source: Tensor, picture: Tensor, label: float) -> Tensor:
        """Return the cross-entropy of D's scores with a label."""
        scores = self.discriminator(torch.cat([source, picture], 1))
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))

    def of_generator(self, source: Tensor, made: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return both terms of G's loss."""
        return self.judge(source, made, 1.0), F.l1_loss(made, target)


def copy_weights(ours: nn.Module, plain: nn.Module) -> None:
    """Copy the weights of one of our networks into the plain one, whose entries are in the same order.

    Raises:
        ValueError: they are not of the same shapes.
    """
    theirs = plain.state_dict()
    values: Sequence[Tensor] = list(ours.state_dict().values())
    if [value.shape for value in values] != [value.shape for value in theirs.values()]:
        raise ValueError("the networks are not the same")
    plain.load_state_dict(dict(zip(theirs, values, strict=True)))


def require_same_step(side: int = 32, levels: int = 5, channels: int = 4, batch: int = 2) -> None:
    """Require that a step of ours, through the real Trainer, has the losses and G's gradients of the plain one.

    In float64, without dropout, and with D pinned by a learning rate of 0: Adam's first step has the sign of a
    gradient and hardly its size, so rounding would show in what comes after it.

    Raises:
        AssertionError: they differ by more than 1e-9 of their size.
    """
    torch.manual_seed(0)
    generator = UNetGenerator(base_channels=channels, levels=levels, dropout=0.0)
    discriminator = PatchDiscriminator(6, channels)
    model = Pix2Pix(generator, discriminator, lr_discriminator=0.0).double()
    plain = PlainStep(PlainUNet(channels, levels, 0.0).double(), plain_patch_gan(channels).double())
    copy_weights(generator, plain.generator)
    copy_weights(discriminator, plain.discriminator)
    for group in plain.optimizers[1].param_groups:
        group["lr"] = 0.0
    pictures = torch.rand(2, batch, 3, side, side, dtype=torch.float64) * 2 - 1

    trained_in_memory(model, pictures, steps=1)
    theirs = plain(*pictures)
    for name, loss in theirs.items():
        torch.testing.assert_close(model.step_values[f"train/{name}"], loss.detach(), rtol=1e-9, atol=0)
    for ours, other in zip(generator.parameters(), plain.generator.parameters(), strict=True):
        scale = other.grad.abs().max()
        torch.testing.assert_close(ours.grad / scale, other.grad / scale, rtol=0, atol=1e-9)


def trained_in_memory(
    model: Pix2Pix, pictures: Tensor, steps: int, callbacks: Sequence[Callback] = (), precision: Any = None
) -> None:
    """Train on one batch over and over, with the callbacks that every run has and the loggers of a plain one.

    Args:
        model: ours.
        pictures: inputs and targets, 2 x N x 3 x H x W.
        steps: how many.
        callbacks: more of them.
        precision: the Trainer's; by default that of the pictures.
    """
    source, target = pictures
    of_pictures = "64-true" if source.dtype == torch.float64 else "32-true"
    batch = {"input": source, "target": target, "name": ["a"] * len(source)}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.WARNING)
        trainer = pl.Trainer(
            accelerator=source.device.type,
            devices=1,
            precision=precision or of_pictures,
            max_epochs=1,
            logger=CSVLogger(folder),
            callbacks=[ExactResume(), FiniteLosses(), ProgressBar(("train/G_l1",)), *callbacks],
            enable_checkpointing=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            trainer.fit(model, DataLoader([batch] * steps, batch_size=None))
