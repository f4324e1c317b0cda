"""Look at some of the data before the first step."""

from collections.abc import Callable, Sequence

import lightning.pytorch as pl

from training.doctor.examination import GLANCE, Finding


class Glance(pl.Callback):
    """Print what is wrong with some of the training samples before the first step of a run that begins.

    Args:
        examine: finds it.
        doctor: the command that examines all samples of a run, without the run's folder.
    """

    def __init__(self, examine: Callable[[], Sequence[Finding]], doctor: str) -> None:
        self.examine = examine
        self.doctor = doctor

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print a line for each finding, and how all samples are examined."""
        folder = trainer.log_dir  # asked of all processes together
        if not trainer.is_global_zero or trainer.ckpt_path is not None or not (findings := self.examine()):
            return
        for finding in findings:
            print(f"{finding.severity}: {finding}")
        print(f"at most {GLANCE} samples were examined; examine all with: {self.doctor} {folder}")
