"""The command lines of both applications as their users meet them: a small data set, a small configuration."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import multitask.__main__
import pix2pix.__main__
from multitask import MultiTask
from pix2pix import Pix2Pix
from tests.multitask.scenes import write_scenes
from tests.pix2pix.pictures import write_side_by_side
from training import Command, Metrics, Model

# Lightning warns, once in a process, of what the command line silences for its users.
SILENCED = [
    pytest.mark.filterwarnings("ignore:You are using a custom batch sampler"),
    pytest.mark.filterwarnings("ignore:.*The dirpath has changed from"),
    pytest.mark.filterwarnings("ignore:.*exists and is not empty"),
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*Trainer configured with multiple"),
]


@dataclass(frozen=True)
class Program:
    """An application's command line.

    Attributes:
        name: the application's.
        main: runs a command.
        commands: the table.
        model: the class of its model.
        write_data: fills a folder with 10, 3 and 3 samples.
        config: builds the configuration of a fit of two epochs of five batches.
        monitor: the metric of the best checkpoint.
        logged: names that a run logs.
        loss: the one of them that every batch logs.
        table: how the table of a test begins.
        help: what ``fit --help`` says of some options.
    """

    name: str
    main: Callable[[Sequence[str]], None]
    commands: Mapping[str, Command]
    model: type[Model]
    write_data: Callable[[Path], Path]
    config: Callable[[Path], dict[str, Any]]
    monitor: str
    logged: set[str]
    loss: str
    table: str
    help: dict[str, str]

    def enter(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Go to a folder with data and small.yaml, as in a process of its own."""
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", [self.name])
        for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "WANDB_MODE"):
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
        self.write_data(folder / "data")
        write_config(self.config(folder / "data"))

    def fails(self, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, int]:
        """Run a command that fails, and return the only line that it says on stderr, and its exit code."""
        with pytest.raises(SystemExit) as stopped:
            self.main(words)
        code = stopped.value.code
        said = code if isinstance(code, str) else capsys.readouterr().err.strip()
        assert "\n" not in said
        assert said.startswith(f"{self.name}: error: ")
        return said, 1 if isinstance(code, str) else int(code or 0)


def the_run(name: str = "small") -> Path:
    """The folder of the only run of a name."""
    (run,) = Path("runs", name).iterdir()
    return run


def metrics_of(name: str = "small") -> Metrics:
    return Metrics(the_run(name) / "metrics.csv")


def read_config() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(Path("small.yaml").read_text())
    return config


def write_config(config: dict[str, Any]) -> None:
    Path("small.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def pix2pix_config(root: Path) -> dict[str, Any]:
    network = {"base_channels": 4}
    return {
        "name": "small",
        "wandb": "off",
        "trainer": {"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 1},
        "model": {
            "generator": {"class_path": "pix2pix.UNetGenerator", "init_args": {**network, "levels": 3}},
            "discriminator": {"class_path": "pix2pix.PatchDiscriminator", "init_args": {**network, "layers": 1}},
        },
        "data": {
            "class_path": "pix2pix.data.PairedImages",
            "init_args": {
                "root": str(root),
                "load_size": 18,
                "crop_size": 16,
                "batch_size": 2,
                "num_workers": 0,
                "color_jitter": 0.1,
            },
        },
    }


def multitask_config(root: Path) -> dict[str, Any]:
    return {
        "name": "small",
        "wandb": "off",
        "trainer": {"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 1},
        "samples": {"count": 2},
        "model": {
            "encoder": {"class_path": "multitask.SmallEncoder", "init_args": {"width": 4, "blocks": 0}},
            "tasks": {
                "seg": {"class_path": "multitask.Segmentation", "init_args": {"classes": 3, "width": 8}},
                "depth": {"class_path": "multitask.Depth", "init_args": {"width": 8}},
                "boxes": {"class_path": "multitask.Detection", "init_args": {"classes": 2, "width": 8, "depth": 1}},
            },
            "weighting": {"class_path": "losses.GradNorm", "init_args": {"alpha": 0.5}},
            "channels": 8,
        },
        "data": {
            "class_path": "multitask.data.SceneData",
            "init_args": {
                "root": str(root),
                "layout": {"class_path": "multitask.data.Folders"},
                "augmentation": {"class_path": "multitask.data.RandomScaleCropFlip"},
                "batch_size": 2,
                "num_workers": 0,
            },
        },
    }


PIX2PIX = Program(
    name="pix2pix",
    main=pix2pix.__main__.main,
    commands=pix2pix.__main__.COMMANDS,
    model=Pix2Pix,
    write_data=write_side_by_side,
    config=pix2pix_config,
    monitor="val/l1",
    logged={
        *(f"train/{name}" for name in ("G_gan", "G_l1", "D_real", "D_fake", "D_output_real", "D_output_fake")),
        *(f"{split}/{metric}" for split in ("val", "test") for metric in ("l1", "mae_units", "psnr", "ssim")),
        "lr/G",
        "lr/D",
    },
    loss="train/G_gan",
    table="test pairs",
    help={
        "--model.lambda_l1": "weight of the L1 term",
        "--model.gan_mode": "the adversarial loss",
    },
)
MULTITASK = Program(
    name="multitask",
    main=multitask.__main__.main,
    commands=multitask.__main__.COMMANDS,
    model=MultiTask,
    write_data=write_scenes,
    config=multitask_config,
    monitor="val/loss",
    logged={
        *(
            f"{kind}/{task}"
            for kind in ("train", "weighted", "weight", "gradient_norm", "target_norm", "training_rate", "val", "test")
            for task in ("seg", "depth", "boxes")
        ),
        *("train/total", "val/loss", "test/loss", "val/seg/miou", "val/depth/abs", "val/boxes/map", "lr/AdamW"),
    },
    loss="train/total",
    table="test scenes",
    help={
        "--model.weighting": "balances the losses",
        "--model.lr": "learning rate of AdamW",
    },
)
PROGRAMS = {"pix2pix": PIX2PIX, "multitask": MULTITASK}
