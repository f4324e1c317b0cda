"""A small model of four tasks and scenes that it can learn, and a training of it."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from losses import FixedWeighting
from multitask import Classification, Depth, MultiTask, Normals, Segmentation, SmallEncoder, Task
from multitask.module import WeightingOfTasks

TASKS = ("seg", "depth", "normals", "room")


def make_tasks() -> dict[str, Task]:
    return {
        "seg": Segmentation(3, width=8),
        "depth": Depth(width=8),
        "normals": Normals(width=8),
        "room": Classification(4, target="room", width=8),
    }


def make(weighting: WeightingOfTasks = FixedWeighting, **options: Any) -> MultiTask:
    torch.manual_seed(0)
    return MultiTask(SmallEncoder(width=4, blocks=1), make_tasks(), weighting, channels=8, **options)


def sample(index: int) -> dict[str, Tensor]:
    """A picture with a bright side and a dark one: two classes, at two depths, that face two ways."""
    generator = torch.Generator().manual_seed(index)
    where = torch.zeros(16, 24, dtype=torch.bool)
    where[:, : 4 * int(torch.randint(1, 6, (), generator=generator))] = True
    image = torch.where(where, 1.0, -1.0).expand(3, 16, 24) + 0.1 * torch.randn(3, 16, 24, generator=generator)
    normals = torch.zeros(3, 16, 24)
    normals[0], normals[2] = where, ~where
    return {
        "image": image,
        "labels": where.long(),
        "depth": torch.where(where, 2.0, 4.0).unsqueeze(0),
        "normals": normals,
        "room": torch.tensor(index % 4),
    }


def loader(count: int = 8, batch_size: int = 4, without: tuple[str, ...] = ()) -> DataLoader[Any]:
    samples = [{key: value for key, value in sample(index).items() if key not in without} for index in range(count)]
    return DataLoader(samples, batch_size)  # type: ignore[arg-type]


def fit(model: MultiTask, folder: Path, data: DataLoader[Any] | None = None, **options: Any) -> pl.Trainer:
    options = {"max_epochs": 2, "logger": False, "enable_checkpointing": False, **options}
    trainer = pl.Trainer(
        **options, accelerator="cpu", default_root_dir=folder, enable_progress_bar=False, enable_model_summary=False
    )
    trainer.fit(model, loader() if data is None else data)
    return trainer
