"""The folder of a comparison, which holds the runs of one configuration."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from inference.configuration import read_yaml

FILE = "config.yaml"


@contextmanager
def claimed(out: Path, configuration: Mapping[str, Any], defaults: Mapping[str, Any], remedy: str) -> Iterator[None]:
    """Be the only comparison in a folder, which is empty or holds the runs of a configuration, and write that into it.

    The system lets go of the folder when a process ends, however that happens.

    Args:
        out: the folder, which is made if it is missing.
        configuration: what all runs of the folder have in common.
        defaults: what a file means that leaves them out, as it was written by a version that knew no other.
        remedy: what the error says, after the folder.

    Raises:
        ValueError: the folder holds the runs of another configuration, or another process is at work in it.
    """
    out.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(out / ".lock").acquire(timeout=0)
    except Timeout:
        raise ValueError(f"{out}: another process trains in it; wait for it, or take another with --out") from None
    with held:
        file = out / FILE
        if file.is_file() and {**defaults, **(read_yaml(file) or {})} != dict(configuration):
            raise ValueError(f"{out} {remedy}; take another folder with --out")
        file.write_text(yaml.safe_dump(dict(configuration), sort_keys=False))
        yield
