"""Both applications, small enough to train in a test: what the tests of tests/training run through."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

import tests.multitask.scenes
import tests.pix2pix.pictures
from inference import InferenceMode, NormMode
from losses import (
    DBMTL,
    FAMO,
    DynamicWeightAverage,
    GradNorm,
    RandomWeighting,
    SSIMLoss,
    UncertaintyWeighting,
)
from multitask import Depth, Detection, MultiTask, Segmentation, SmallEncoder
from multitask.module import WeightingOfTasks
from pix2pix import R1, DiffAugment, LeCam, PatchDiscriminator, Pix2Pix, ResNetGenerator
from pix2pix.callbacks import GeneratorEMA
from training import ResumableData

BATCHES = 5  # of an epoch


@dataclass(frozen=True)
class Application:
    """What a test needs to train.

    Attributes:
        monitor: the metric that chooses the best checkpoint.
        build_model: builds a model whose initial weights depend on torch's seed alone.
        build_data: builds a data module of ``BATCHES`` batches from a folder, which is filled if it is not there.
        callbacks: builds callbacks of the application's own that have state.
    """

    monitor: str
    build_model: Callable[[], pl.LightningModule]
    build_data: Callable[..., ResumableData]
    callbacks: Callable[[], list[pl.Callback]] = field(default=list)


def build_pix2pix(norm: NormMode = "running", **options: Any) -> Pix2Pix:
    """With all that draws random numbers in the step, and a schedule."""
    model = Pix2Pix(
        ResNetGenerator(base_channels=4, blocks=1, dropout=0.5),
        PatchDiscriminator(6, 4, layers=1, norm="none" if "penalties" in options else "batch"),
        constant_epochs=1,
        decay_epochs=2,
        inference=InferenceMode(norm),
        **options,
    )
    for name, tensor in model.state_dict().items():  # larger than the networks' own: differences grow faster
        if tensor.is_floating_point() and "var" not in name and name.startswith(("generator", "discriminator")):
            tensor.copy_(torch.randn_like(tensor) / 20)
    return model


def build_multitask(weighting: WeightingOfTasks) -> MultiTask:
    tasks = {"seg": Segmentation(3, width=4), "depth": Depth(width=4), "boxes": Detection(2, width=4, depth=1)}
    return MultiTask(SmallEncoder(width=4, blocks=0), tasks, weighting, channels=8)


def build_objective() -> Pix2Pix:
    """With all of the objective that has a state, draws random numbers or is not done in every step."""
    return build_pix2pix(
        terms={"ssim": SSIMLoss()},
        weighting=functools.partial(GradNorm, alpha=0.5),
        ramps={"gan": 2},
        penalties={"lecam": LeCam(0.1), "r1": R1(0.1, every=3)},
        augmentation=DiffAugment(),
        d_steps=2,
        accumulate=2,
        clip_norm=1.0,
    )


WEIGHTINGS: Mapping[str, WeightingOfTasks] = {
    "gradnorm": functools.partial(GradNorm, alpha=0.5),
    "uncertainty": UncertaintyWeighting,
    "dynamic": DynamicWeightAverage,
    "famo": FAMO,
    "random": RandomWeighting,
    "dbmtl": DBMTL,
}
APPLICATIONS: Mapping[str, Application] = {
    "pix2pix": Application(
        "val/l1",
        functools.partial(build_pix2pix, "recalibrated"),  # each validation changes the model
        tests.pix2pix.pictures.small_data,
        lambda: [GeneratorEMA(0.9)],
    ),
    "pix2pix-objective": Application("val/l1", build_objective, tests.pix2pix.pictures.small_data),
    **{
        name: Application("val/loss", functools.partial(build_multitask, weighting), tests.multitask.scenes.small_data)
        for name, weighting in WEIGHTINGS.items()
    },
}


def quiet_trainer(folder: Path, **options: Any) -> pl.Trainer:
    """A trainer that prints nothing and leaves only what its callbacks write."""
    quiet = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": folder,
        "use_distributed_sampler": False,
    }
    return pl.Trainer(**(quiet | options))
