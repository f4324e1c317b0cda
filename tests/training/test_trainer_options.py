import os
from typing import Any

import pytest
import torch

from training.trainer_options import check_seed, check_trainer

USUAL: dict[str, Any] = {
    "max_epochs": 200,
    "max_steps": -1,
    "limit_train_batches": None,
    "check_val_every_n_epoch": 1,
    "log_every_n_steps": 50,
    "devices": 1,
    "accelerator": "cpu",
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_epochs", 0, r"trainer\.max_epochs must be at least 1, or -1; got 0"),
        ("max_epochs", -5, r"trainer\.max_epochs must be at least 1, or -1; got -5"),
        ("max_steps", 0, r"trainer\.max_steps must be at least 1, or -1; got 0"),
        ("limit_train_batches", 0, r"trainer\.limit_train_batches must be above 0; got 0"),
        ("check_val_every_n_epoch", 0, r"trainer\.check_val_every_n_epoch must be at least 1; got 0"),
        ("log_every_n_steps", -1, r"trainer\.log_every_n_steps must be at least 0; got -1"),
        ("devices", 1000, r"trainer\.devices must be from 1 to \d+, 4 for each core; got 1000"),
        ("devices", "0", r"trainer\.devices must be from 1 to \d+, 4 for each core; got 0"),
    ],
)
def test_a_trainer_with_nothing_to_do_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_trainer(USUAL | {name: value})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_epochs": -1},
        {"max_epochs": None, "max_steps": 10},
        {"limit_train_batches": 0.1},
        {"check_val_every_n_epoch": None},
        {"log_every_n_steps": 0},
        {"devices": "auto"},
        {"devices": 4 * (os.cpu_count() or 1)},
    ],
)
def test_what_can_be_trained_with_passes(options: dict[str, Any]) -> None:
    check_trainer(USUAL | options)


def test_processes_are_counted_on_processors_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_trainer(USUAL | {"accelerator": "auto", "devices": 1000})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="devices"):
        check_trainer(USUAL | {"accelerator": "auto", "devices": 1000})


def test_seeds_are_those_that_numpy_takes() -> None:
    for seed in 0, 2**32 - 1, True, False:
        check_seed(seed)
    for seed in -1, 2**32:
        with pytest.raises(ValueError, match=rf"seed_everything must be from 0 to 4294967295; got {seed}"):
            check_seed(seed)
