"""The folder of a comparison, which holds the runs of one configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from inference.configuration import read_yaml

FILE = "config.yaml"


def claim(out: Path, configuration: Mapping[str, Any], defaults: Mapping[str, Any], remedy: str) -> None:
    """Require that a folder is empty or holds the runs of a configuration, and write the latter into it.

    Args:
        out: the folder, which is made if it is missing.
        configuration: what all runs of the folder have in common.
        defaults: what a file means that leaves them out, as it was written by a version that knew no other.
        remedy: what the error says, after the folder.

    Raises:
        ValueError: the folder holds the runs of another configuration.
    """
    file = out / FILE
    if file.is_file() and {**defaults, **(read_yaml(file) or {})} != dict(configuration):
        raise ValueError(f"{out} {remedy}; take another folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(dict(configuration), sort_keys=False))
