"""What the tests of training share: a Trainer that leaves nothing behind, and networks small enough to train."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from pix2pix import PatchDiscriminator, Pix2Pix, UNetGenerator
from pix2pix.layers import Norm


def quiet_trainer(**options: Any) -> pl.Trainer:
    quiet = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "limit_val_batches": 0,
    }
    return pl.Trainer(**(quiet | options))


def small_model(norm: Norm = "batch", **options: Any) -> Pix2Pix:
    """For pictures of 16 x 16 and more, RGB to RGB."""
    channels = 6 if options.get("conditional", True) else 3
    judge = "none" if options.get("gan_mode") == "wgan" else norm
    return Pix2Pix(
        UNetGenerator(base_channels=4, levels=3, norm=norm),
        PatchDiscriminator(channels, 4, layers=1, norm=judge),
        **options,
    )


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def changed(before: dict[str, Tensor], module: nn.Module) -> bool:
    return any(not torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
