"""The checkpoint of a run on Weights & Biases."""

import re
from pathlib import Path
from typing import Literal

import lightning.pytorch as pl
from lightning.pytorch.loggers import WandbLogger

from training.loggers import copies_in_the_run


class CheckpointArtifact(pl.Callback):
    """Log a checkpoint to Weights & Biases when training ends, as the artifact ``model-NAME-TIME`` of the run.

    A run that is resumed logs another version of it. ``best`` or ``last`` is the version's alias.

    Args:
        which: the best checkpoint or the last one.

    Raises:
        ValueError: when training begins, if the run does not log to W&B.
    """

    # Not WandbLogger(log_model=...): it refuses to be offline, and knows nothing of last.ckpt.

    def __init__(self, which: Literal["best", "last"]) -> None:
        self.which = which
        self._file = Path()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Choose the file, on all processes together, and require the logger."""
        self._file = Path(trainer.log_dir or trainer.default_root_dir) / "checkpoints" / f"{self.which}.ckpt"
        if stage == "fit" and not any(isinstance(logger, WandbLogger) for logger in trainer.loggers):
            raise ValueError(
                f"--wandb_checkpoint {self.which} needs --wandb offline or online, and the package wandb: "
                "pip install -e '.[wandb]'"
            )

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log it, on the main process alone."""
        if not trainer.is_global_zero or not self._file.is_file():
            return
        import wandb

        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                name = re.sub(r"[^\w.-]", "-", f"model-{logger.version}", flags=re.ASCII)  # what W&B allows
                with copies_in_the_run(logger):
                    artifact = wandb.Artifact(name, type="model")
                    artifact.add_file(str(self._file))
                    logger.experiment.log_artifact(artifact, aliases=[self.which])
