"""Trainers on the devices of the fixture ``device``."""

from typing import Any

import torch
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.strategies import SingleDeviceStrategy


class PretendedAccelerator(CPUAccelerator):
    """Has nothing to set up."""

    def setup_device(self, device: torch.device) -> None:
        pass


def trainer_options(device: torch.device, precision: Any = "32-true") -> dict[str, Any]:
    """Options of a Trainer that trains on a device; 16-mixed with a real scaler everywhere."""
    scaler = torch.amp.GradScaler(device.type, init_scale=1024) if precision == "16-mixed" else None
    mixed = {"plugins": [MixedPrecision(precision, device.type, scaler)]} if scaler else {"precision": precision}
    if device.type == "cpu" or torch.cuda.is_available():
        return {"accelerator": device.type, "devices": 1, **mixed}
    strategy = SingleDeviceStrategy(torch.device("cuda:0"), PretendedAccelerator())
    return {"accelerator": "auto", "strategy": strategy, **mixed}
