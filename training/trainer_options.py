"""Options of Lightning's that it takes, and that end in nothing, or in an error that does not name them."""

import os
from collections.abc import Mapping
from typing import Any

import torch

LEAST = {  # that can be trained and logged with, and a value that stands for something else
    "max_epochs": (1, -1),
    "max_steps": (1, -1),
    "limit_train_batches": (1e-9, None),
    "check_val_every_n_epoch": (1, None),
    "log_every_n_steps": (0, None),
}
SEEDS = 2**32  # that NumPy takes
PROCESSES = 4  # for each core, at most, where there is no GPU: more only take memory


def check_trainer(options: Mapping[str, Any]) -> None:
    """Require options with which there is something to train.

    Args:
        options: of the trainer.

    Raises:
        ValueError: one is outside its range.
    """
    for name, (least, other) in LEAST.items():
        if (value := options[name]) is not None and value != other and value < least:
            bound = f"at least {least}" if isinstance(least, int) else "above 0"
            raise ValueError(f"trainer.{name} must be {bound}{'' if other is None else f', or {other}'}; got {value:g}")
    devices, most = options["devices"], PROCESSES * (os.cpu_count() or 1)
    on_cpu = options["accelerator"] == "cpu" or (options["accelerator"] == "auto" and not torch.cuda.is_available())
    if on_cpu and str(devices).isdecimal() and not 1 <= int(devices) <= most:
        raise ValueError(f"trainer.devices must be from 1 to {most}, {PROCESSES} for each core; got {devices}")


def check_seed(seed: int | bool) -> None:
    """Require a seed that all libraries take; True draws one, and False sets none.

    Raises:
        ValueError: it is outside their range.
    """
    if not 0 <= seed < SEEDS:
        raise ValueError(f"seed_everything must be from 0 to {SEEDS - 1}; got {seed}")
