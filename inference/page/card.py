"""The card of a model: what there is to know of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import yaml
from torch import nn

from inference.checkpoints import run_of
from inference.configuration import read_yaml

SHOWN = ("model", "data", "trainer", "seed_everything")  # of a configuration: what made the model what it is


@dataclass(frozen=True)
class Card:
    """What there is to know of a model.

    Attributes:
        title: its name.
        facts: in words, by what they are about.
        configuration: of its run; None if that is not there.
        canvas: height and width of a sheet to draw on; None if its inputs cannot be drawn.
        samples: the picture of samples that its run drew last, a PNG; None if there is none.
    """

    title: str
    facts: Mapping[str, str]
    configuration: Mapping[str, Any] | None = None
    canvas: tuple[int, int] | None = None
    samples: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the card for programs, and for the page: the configuration in YAML, and no path."""
        configuration = self.configuration and yaml.safe_dump(dict(self.configuration), sort_keys=False)
        return {
            "title": self.title,
            "facts": dict(self.facts),
            "configuration": configuration,
            "canvas": self.canvas,
            "samples": self.samples is not None,
        }


def title_of(checkpoint: Path) -> str:
    """Return the name of the run that wrote a checkpoint, or of the file."""
    run = run_of(checkpoint)
    return run.parent.name if run else checkpoint.stem


def last_samples(checkpoint: Path) -> Path | None:
    """Return the picture of samples that the run of a checkpoint drew last."""
    run = run_of(checkpoint)
    return max((run / "samples").glob("epoch_*.png"), default=None) if run else None


def network_facts(*parts: nn.Module) -> dict[str, str]:
    """Return how many parameters the parts of a network have."""
    return {"parameters": f"{sum(each.numel() for part in parts for each in part.parameters()):,}"}


def file_facts(checkpoint: Path) -> dict[str, str]:
    """Return the name of a checkpoint's file, without its folder, its size, and its SHA-256."""
    with checkpoint.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": f"{checkpoint.name}, {checkpoint.stat().st_size / 1e6:.1f} MB", "SHA-256": digest}


def run_configuration(checkpoint: Path) -> dict[str, Any] | None:
    """Return the configuration of the run that wrote a checkpoint, without folders of this machine.

    It is what made the model what it is; nulls are left out, and of paths from the root the last part stays.
    """
    run = run_of(checkpoint)
    if run is None:
        return None
    configuration = read_yaml(run / "config.yaml")
    return {name: _without_folders(configuration[name]) for name in SHOWN if name in configuration}


def _without_folders(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_folders(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_folders(each) for each in value]
    if isinstance(value, str):
        for kind in PurePosixPath, PureWindowsPath:
            if (path := kind(value)).is_absolute():
                return path.name
    return value
