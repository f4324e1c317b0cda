"""The loggers of a run: a CSV file that a resumed run goes on with, and Weights & Biases."""

import csv
from importlib import util
from pathlib import Path

import torch
import yaml
from jsonargparse import Namespace
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, WandbLogger


def continued_csv(runs: str, name: str, time: str, checkpoint: str) -> CSVLogger:
    """Make a CSV logger that keeps what a resumed run has logged up to its checkpoint; Lightning's own begins anew.

    Args:
        runs: the folder of all runs.
        name: the run's name.
        time: the run's folder below these two.
        checkpoint: what it goes on from.
    """
    file = Path(runs, name, time, "metrics.csv")
    rows = list(csv.DictReader(file.read_text().splitlines())) if file.is_file() else []
    done = torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"]
    logger = CSVLogger(runs, name, version=time)
    for row in rows:
        step = int(row.pop("step"))
        if step < done:
            logger.log_metrics({key: float(value) for key, value in row.items() if value}, step)
    logger.save()
    return logger


def wandb_loggers(mode: str, project: str, name: str, time: str, folder: Path) -> list[WandbLogger]:
    """Make the logger of Weights & Biases, or none where it is off or, unless asked for, not installed.

    Args:
        mode: offline, online or off. One that is online connects here, before anything is begun.
        project: W&B's project.
        name: the run's name.
        time: when it began; with the name what W&B knows it by, also when it is resumed.
        folder: the run's folder.

    Raises:
        ModuleNotFoundError: online, and the package is not installed.
        ValueError: online, and W&B cannot be reached or does not know who is asking.
    """
    installed = util.find_spec("wandb") is not None
    if mode == "online" and not installed:
        raise ModuleNotFoundError("--wandb online needs the package wandb: pip install 'pix2pix-multitask[wandb]'")
    if mode == "off" or not installed:
        return []
    import wandb

    wandb.setup(wandb.Settings(silent=True))  # not with the run's settings, which it complains about as it reads them
    logger = WandbLogger(
        name=f"{name} {time}",
        id=f"{name}-{time}",
        resume="allow",
        save_dir=folder,
        project=project,
        offline=mode != "online",
        settings=wandb.Settings(mode="online" if mode == "online" else "offline", console="off"),
    )
    if mode == "online":
        try:
            _ = logger.experiment
        except wandb.Error as error:
            raise ValueError(f"--wandb online: {error}; run `wandb login`, or take --wandb offline") from None
    return [logger]


class SaveRunConfig(SaveConfigCallback):
    """Save the whole configuration in the run's folder, and with a run on Weights & Biases."""

    config: Namespace

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Send it to W&B."""
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_hyperparams(yaml.safe_load(self.parser.dump(self.config, skip_none=False)))
