"""Read and check checkpoints, and find the run that wrote one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch

from inference.recipe import with_current_paths

REASON = 200  # letters of a reason, which may list all weights


def read_checkpoint(file: str | Path) -> Mapping[str, Any]:
    """Read a checkpoint; its tensors stay on disk until they are used.

    Args:
        file: the checkpoint of a run. Class paths in its ``hyper_parameters`` are brought up to date.

    Raises:
        ValueError: it is not there, or cannot be read as a checkpoint; the line says which.
    """
    try:
        checkpoint = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
        readable = "state_dict" in checkpoint
    except FileNotFoundError:
        raise ValueError(f"{file}: no such file") from None
    except Exception:  # a file that is none leads the reader anywhere
        readable = False
    if not readable:
        raise ValueError(f"{file}: not a checkpoint that can be read; take another, such as last.ckpt or best.ckpt")
    return cast(
        Mapping[str, Any], checkpoint | {"hyper_parameters": with_current_paths(checkpoint.get("hyper_parameters", {}))}
    )


@contextmanager
def damage_named(file: str | Path) -> Iterator[None]:
    """Name a checkpoint whose content turns out to be no model's.

    Args:
        file: the checkpoint.

    Raises:
        ValueError: when what is done with it meanwhile fails.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:REASON]
        raise ValueError(f"{file}: not a checkpoint whose model can be built ({reason}); take another") from error


def run_of(checkpoint: str | Path) -> Path | None:
    """Return the folder of the run that wrote ``checkpoint``, if the file is still in it."""
    run = Path(checkpoint).absolute().parent.parent
    return run if (run / "config.yaml").is_file() else None
