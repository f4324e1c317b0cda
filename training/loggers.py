"""The loggers of a run besides its metrics.csv: Weights & Biases."""

from importlib import util
from pathlib import Path

import yaml
from jsonargparse import Namespace
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.loggers import WandbLogger


def wandb_loggers(mode: str, project: str, run: Path) -> list[WandbLogger]:
    """Build the logger of Weights & Biases, or none if it is off, or not installed and not asked for.

    Args:
        mode: offline, online or off. One that is online connects here, before anything is begun.
        project: W&B's project.
        run: the run's folder, RUNS/NAME/TIME. Name and time are what W&B knows it by, also when it is resumed.

    Raises:
        ModuleNotFoundError: online, and the package is not installed.
        ValueError: online, and W&B cannot be reached or does not know who is asking.
    """
    installed = util.find_spec("wandb") is not None
    if mode == "online" and not installed:
        raise ModuleNotFoundError("--wandb online needs the package wandb: pip install -e '.[wandb]'")
    if mode == "off" or not installed:
        return []
    import wandb

    wandb.setup(wandb.Settings(silent=True))  # not with the run's settings, which it complains about as it reads them
    logger = WandbLogger(
        name=f"{run.parent.name} {run.name}",
        id=f"{run.parent.name}-{run.name}",
        resume="allow",
        save_dir=run,
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
