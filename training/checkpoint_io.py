"""Checkpoints that are either whole or absent."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint under a temporary name, flush it to disk, then rename it in one step.

    A process killed at any moment leaves the old file or the new one, never a part of it. (Lightning's own writes to
    the temporary folder and moves the file, which on another file system is a copy that can be cut off.)
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Save ``checkpoint`` under ``path``, a local file."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with unfinished.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        _force_to_disk(path.parent)


def _force_to_disk(folder: Path) -> None:
    """Flush the new name itself, so that it survives a loss of power; on Windows folders cannot be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
