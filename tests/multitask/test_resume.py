"""A run that was killed and resumed from its last checkpoint ends as one that never stopped, weighting and all."""

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from losses import DynamicWeightAverage, GradNorm, UncertaintyWeighting
from multitask import Depth, Detection, MultiTask, Segmentation, SmallEncoder
from multitask.module import WeightingOfTasks
from tests.multitask.scenes import small_data
from training import AtomicCheckpointIO, ExactResume, LastCheckpoint

EPOCHS = 3  # of 5 batches
WEIGHTINGS: dict[str, WeightingOfTasks] = {
    "gradnorm": functools.partial(GradNorm, alpha=0.5),
    "uncertainty": UncertaintyWeighting,
    "dynamic": DynamicWeightAverage,
}

pytestmark = pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")


class Kill(pl.Callback):
    """Sends this process a signal after the weighting has learned from a batch, and before the optimiser has."""

    def __init__(self, number: int, epoch: int, batch: int) -> None:
        self.number, self.at = number, (epoch, batch)

    def on_before_zero_grad(self, trainer: pl.Trainer, *_: Any) -> None:
        if (trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_idx) == self.at:
            os.kill(os.getpid(), self.number)


def run(folder: Path, name: str, resume: Path | None = None, stop: Kill | None = None) -> MultiTask:
    torch.set_num_threads(1)
    torch.manual_seed(resume is None)  # a resumed process does not find the generator as it was
    tasks = {"seg": Segmentation(3, width=4), "depth": Depth(width=4), "boxes": Detection(2, width=4, depth=1)}
    model = MultiTask(SmallEncoder(width=4, blocks=0), tasks, WEIGHTINGS[name], channels=8)
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=EPOCHS,
        callbacks=[ExactResume(), LastCheckpoint(), *([stop] if stop else [])],
        plugins=[AtomicCheckpointIO()],
        default_root_dir=folder,
        use_distributed_sampler=False,
    )
    trainer.fit(model, datamodule=small_data(folder.parent / "data"), ckpt_path=resume, weights_only=True)
    return model


def state_of(model: MultiTask) -> dict[str, torch.Tensor]:
    """Weights, and the moments of both kinds of optimisers: the network's, and the weighting's in its state."""
    (optimizer,) = model.trainer.optimizers
    moments = {
        f"{n}.{key}": value for n, each in optimizer.state_dict()["state"].items() for key, value in each.items()
    }
    return model.state_dict() | moments


@pytest.mark.parametrize("name", WEIGHTINGS)
@pytest.mark.parametrize(("epoch", "batch"), [(1, 3), (2, 0)])
def test_killed_and_resumed(name: str, epoch: int, batch: int, tmp_path: Path) -> None:
    whole = state_of(run(tmp_path / "whole", name))
    code = (
        "import signal; from pathlib import Path; from tests.multitask.test_resume import Kill, run; "
        f"run(Path({str(tmp_path / 'killed')!r}), {name!r}, stop=Kill(signal.SIGKILL, {epoch}, {batch}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    last = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["epoch"] == epoch - 1
    resumed = state_of(run(tmp_path / "killed", name, resume=last))
    assert resumed.keys() == whole.keys()
    assert any("weighting" in key for key in whole)
    for key, value in whole.items():
        assert torch.equal(resumed[key], value), key
