"""Writes what ``predict`` predicts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import BasePredictionWriter
from torchvision.transforms.v2.functional import to_pil_image
from torchvision.utils import make_grid

from multitask.module import MultiTask
from training import DataError


class PredictionWriter(BasePredictionWriter):
    """Write for every scene of ``predict`` a PNG and a file of numbers into ``predictions/`` of the run.

    The PNG shows the image and each task's prediction; the .pt file, for ``torch.load``, holds the predictions by the
    names of the tasks, in the form of their targets. Both have the scene's own name: what follows the last / of where
    it is from.

    Raises:
        DataError: two scenes have one name.
    """

    def __init__(self) -> None:
        super().__init__(write_interval="batch")
        self.folder = Path()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Choose the folder, on all processes together."""
        super().setup(trainer, pl_module, stage)
        self.folder = Path(trainer.log_dir or trainer.default_root_dir) / "predictions"

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        prediction: dict[str, Any],
        batch_indices: Sequence[Any] | None,
        batch: dict[str, Any],
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write one batch."""
        assert isinstance(pl_module, MultiTask)
        self.folder.mkdir(parents=True, exist_ok=True)
        image = batch["image"].float()
        drawn = [task.draw(prediction[name], image) for name, task in pl_module.named_tasks().items()]
        for index, where in enumerate(batch["name"]):
            scene = Path(where).name
            if (self.folder / f"{scene}.pt").exists():
                raise DataError(f"{where}: another scene is called {scene} as well, and its prediction would be lost")
            pictures = [row[index].float().cpu() for row in (image, *drawn)]
            to_pil_image(make_grid(pictures, nrow=len(pictures))).save(self.folder / f"{scene}.png")
            values = {name: to_cpu(value[index]) for name, value in prediction.items()}
            torch.save(values, self.folder / f"{scene}.pt")


def to_cpu(value: Any) -> Any:
    """Bring a tensor, or a dictionary of them, to the CPU, without the batch that it is a part of."""
    if isinstance(value, dict):
        return {key: to_cpu(each) for key, each in value.items()}
    return value.detach().cpu().clone()
