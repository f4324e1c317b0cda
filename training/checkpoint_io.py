"""Checkpoints that are either whole or absent."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from training.whole_files import whole_file


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint beside its place, and put it there in one step; as ``whole_file`` does.

    (Lightning's own writes to the temporary folder and moves the file, which on another file system is a copy that can
    be cut off.)
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Save ``checkpoint`` under ``path``, a local file."""
        with whole_file(Path(path)) as file:
            torch.save(checkpoint, file)
