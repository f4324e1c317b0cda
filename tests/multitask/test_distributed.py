"""Several processes train and measure as one, also where a task has labels in one of them alone."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch.testing import assert_close

from losses import GradNorm
from multitask import Depth, Detection, MultiTask, Segmentation, SmallEncoder, Task
from tests.multitask.scenes import small_data, write_scenes

DISTRIBUTED = {"devices": 2, "strategy": "ddp_fork"}

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*module.* in eval mode at the start of training"),
    pytest.mark.filterwarnings("ignore:You are using a custom batch sampler"),
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval"),
]


class SameEverywhere(pl.Callback):
    """Insists that the processes end with the same weights, the weighting's among them."""

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        first = trainer.strategy.broadcast(pl_module.state_dict())
        for name, value in pl_module.state_dict().items():
            assert torch.equal(value, first[name]), name


def make(**tasks: Task) -> MultiTask:
    """With batch norm in evaluation, as it would see each process's own pictures."""
    torch.manual_seed(0)
    model = MultiTask(SmallEncoder(width=4, blocks=0), tasks, GradNorm, channels=8, lr=1e-2).double()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    return model


def trainer_of(folder: Path, **options: Any) -> pl.Trainer:
    return pl.Trainer(
        **options,
        accelerator="cpu",
        precision="64-true",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        use_distributed_sampler=False,
    )


@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_train_as_one_with_their_batches_joined(processes: int, tmp_path: Path) -> None:
    """Of 10 scenes to train on three processes leave one out, and of 4 to measure one of them has two."""
    write_scenes(tmp_path / "data", {"train": 10, "val": 4})
    trained = []
    for batch_size, options in (1, DISTRIBUTED | {"devices": processes}), (processes, {}):
        model = make(seg=Segmentation(3, width=4), depth=Depth(width=4))
        trainer = trainer_of(tmp_path, max_epochs=2, callbacks=[SameEverywhere()], gradient_clip_val=1.0, **options)
        trainer.fit(model, datamodule=small_data(tmp_path / "data", batch_size=batch_size))
        measured = {key: float(value) for key, value in trainer.callback_metrics.items() if key.startswith("val/")}
        trained.append((model.state_dict(), measured))
    (several, several_measured), (one, one_measured) = trained
    assert any("weighting" in name for name in one)
    assert not torch.equal(one["weighting.current"], torch.ones(2))
    assert_close(several, one, rtol=1e-9, atol=1e-11)
    assert {"val/seg/miou", "val/depth/abs", "val/loss"} <= one_measured.keys()
    assert several_measured == pytest.approx(one_measured, rel=1e-6)


def test_a_task_that_one_process_alone_has_labels_of(tmp_path: Path) -> None:
    """One depth to train on and one to measure with: nobody waits for the other, and all agree."""
    data = small_data(tmp_path / "data", batch_size=1)
    for split in "train", "val":
        for file in sorted((tmp_path / "data" / split / "depth").iterdir())[1:]:
            file.unlink()
    model = make(seg=Segmentation(3, width=4), depth=Depth(width=4))
    trainer_of(tmp_path, max_epochs=2, callbacks=[SameEverywhere()], **DISTRIBUTED).fit(model, datamodule=data)
    assert isinstance(model.weighting, GradNorm)
    assert model.weighting.adam is not None
    assert model.weighting.adam.steps.tolist() == [10, 2]


def test_processes_with_unlike_numbers_of_pictures_measure_as_one(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data", batch_size=1)  # of three pictures to measure with one process has two
    model = make(boxes=Detection(2, width=4, depth=0))
    model.heads["boxes"].locate[-1].bias.data[:4] = 1.0  # about as large as the boxes
    several, one = (
        trainer_of(tmp_path, **options).validate(model, data, verbose=False)[0] for options in (DISTRIBUTED, {})
    )
    assert one["val/boxes/map_50"] > 0
    assert several == pytest.approx(one, rel=1e-6)
