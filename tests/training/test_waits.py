"""A training step never waits for the device: nothing in it is asked for as a number, or as places to look at.

What would wait for a GPU is seen on a CPU: an item of a tensor, or an index whose size depends on values. The
optimizer's own counts of steps, which lie on the CPU whatever trains, are left out. What is copied to a GPU or from it
is seen on a GPU, where torch raises, or on a pretended one.
"""

import copy
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor

from losses import BerHuLoss, CrossEntropyLoss, DiceLoss, FocalLoss, L1Loss, LovaszLoss, SILogLoss, SumLoss
from multitask import BinaryMaps, Classification, Depth, Detection, Normals, Segmentation, Task
from tests import pretended_cuda
from tests.devices import trainer_options
from tests.pretended_cuda import Waits, reads_values, waits_of_pretended_cuda
from tests.training.applications import APPLICATIONS, quiet_trainer
from training import ExactResume

CPU = torch.device("cpu")
ROOT = str(Path(__file__).parents[2])


def _would_wait(name: str, args: Any, kwargs: Any) -> bool:
    return reads_values(name, args) and not _in_an_optimizer()


def _ours(file: str) -> bool:
    return file.startswith(ROOT) and ".venv" not in file and file not in (__file__, pretended_cuda.__file__)


def _in_an_optimizer() -> bool:
    for frame, _ in traceback.walk_stack(None):
        if _ours(frame.f_code.co_filename):
            return False  # also in the step's closure, which an optimizer calls
        if "torch/optim/" in frame.f_code.co_filename:
            return True
    return False


@contextmanager
def waits(device: torch.device = CPU) -> Iterator[list[str]]:
    """What would wait for a device; on a GPU the first that does raises, at its place."""
    if device.type == "cuda" and torch.cuda.is_available():
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield []
        finally:
            torch.cuda.set_sync_debug_mode("default")
    elif device.type == "cuda":
        with waits_of_pretended_cuda() as found:
            yield found
    else:
        with Waits(_would_wait) as mode:
            yield mode.found


class Watch(pl.Callback):
    """Watches the steps that no logger is due in; the first builds things that stay."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.found: list[str] = []
        self.steps = 0

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        self._context = waits(self.device)
        if batch_idx:
            self._found = self._context.__enter__()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx:
            self._context.__exit__(None, None, None)
            self.found += self._found
            self.steps += 1


@pytest.mark.parametrize("name", APPLICATIONS)
def test_no_step_waits(name: str, tmp_path: Path, device: torch.device) -> None:
    application, watch = APPLICATIONS[name], Watch(device)
    callbacks = [watch, ExactResume(), *application.callbacks()]
    options = {"max_epochs": 1, "log_every_n_steps": 100, **trainer_options(device)}
    trainer = quiet_trainer(tmp_path, callbacks=callbacks, **options)
    trainer.fit(application.build_model(), application.build_data(tmp_path / "data"))
    assert watch.steps == 4
    assert watch.found == []


def boxes(*corners: float) -> dict[str, Tensor]:
    return {"boxes": torch.tensor(corners).view(-1, 4), "labels": torch.zeros(len(corners) // 4, dtype=torch.int64)}


TARGETS: dict[str, tuple[Task, Any]] = {
    "seg": (Segmentation(3, class_weights=[1.0, 2.0, 1.0]), torch.randint(3, (2, 8, 8))),
    "seg, ignoring": (Segmentation(3, ignore_index=0, loss=LovaszLoss()), torch.randint(3, (2, 8, 8))),
    "focal": (Segmentation(3, loss=FocalLoss()), torch.randint(3, (2, 8, 8))),
    "dice": (
        Segmentation(3, loss=SumLoss({"ce": CrossEntropyLoss(), "dice": DiceLoss()})),
        torch.randint(3, (2, 8, 8)),
    ),
    "depth": (Depth(), torch.rand(2, 1, 8, 8)),
    "silog": (Depth(loss=SILogLoss()), torch.rand(2, 1, 8, 8)),
    "berhu": (Depth(loss=BerHuLoss()), torch.rand(2, 1, 8, 8)),
    "normals": (Normals(), torch.randn(2, 3, 8, 8)),
    "normals, L1": (Normals(loss=L1Loss()), torch.randn(2, 3, 8, 8)),
    "room": (Classification(4, target="room"), torch.tensor([3, 255])),
    "edges": (BinaryMaps("edges", positive=[1]), torch.randint(2, (2, 8, 8))),
    "boxes": (Detection(2), [boxes(1, 1, 6, 7, 0, 0, 3, 3), boxes()]),
    "boxes apart": (Detection(2, parts="apart", pool=2), [None, boxes(1, 1, 6, 7)]),
}


@pytest.mark.parametrize("name", TARGETS)
def test_no_task_waits(name: str, device: torch.device) -> None:
    task, target = copy.deepcopy(TARGETS[name])
    target = apply_to_collection(target, Tensor, lambda tensor: tensor.to(device))
    head = task.to(device).build_head(4).to(device)
    features = torch.randn(2, 4, 4, 4).to(device)
    with waits(device) as found:
        prediction = task.at_size(head(features, (8, 8)), (8, 8), (8, 8))
        loss = task.loss(prediction, target)
        total = loss if isinstance(loss, Tensor) else torch.stack(list(loss.values())).sum()
        total.backward()
    assert found == []
    assert total.isfinite()


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).any()),
        lambda x: x[x > 0],
        lambda x: (x > 0).nonzero(),
        lambda x: x.masked_select(x > 0),
        lambda x: x.clone().index_put_((x > 0,), torch.zeros(())),
        lambda x: x.unique(),
    ],
)
def test_what_waits_is_seen(wait: Any) -> None:
    x: Tensor = torch.ones(3)
    with waits() as found:
        wait(x)
    assert len(found) >= 1
    with waits() as found:
        torch.where(x > 0, x, 0).sum()
    assert found == []
