"""Checkpoints of both applications, written in milliseconds and without a training."""

from pathlib import Path
from typing import Any

import torch

from multitask import Depth, MultiTask, Segmentation, SmallEncoder
from pix2pix import PatchDiscriminator, Pix2Pix, UNetGenerator
from training import Model


def write_checkpoint(file: Path, model: Model, **more: Any) -> Path:
    content = {
        "pytorch-lightning_version": "2.6.6",
        "epoch": 0,
        "global_step": 0,
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content | more, file)
    return file


def translator_checkpoint(file: Path) -> Path:
    generator, discriminator = UNetGenerator(base_channels=4, levels=3), PatchDiscriminator(6, 4, layers=1)
    return write_checkpoint(file, Pix2Pix(generator, discriminator))


def tasks_checkpoint(file: Path) -> Path:
    tasks = {"seg": Segmentation(3, width=4), "depth": Depth(width=4)}
    return write_checkpoint(file, MultiTask(SmallEncoder(width=4, blocks=0), tasks, channels=8))
