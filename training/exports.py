"""What the commands ``export`` of the applications have in common."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from inference import list_pictures
from inference.predictor import Predictor
from training.data import ResumableData
from training.failures import WrongUsage
from training.run_data import pictures_of_run

CHECKED = 4  # pictures


def export_target(out: str, format: str | None, formats: Sequence[str], overwrite: bool) -> tuple[Path, str]:
    """Return what an export writes, and its format: the one that is given, or that the ending names.

    Raises:
        WrongUsage: the ending names none.
        ValueError: it is there already.
    """
    target = Path(out)
    named = format or target.suffix.removeprefix(".")
    if named not in formats:
        raise WrongUsage(f"{out}: the ending names no format; take --format {', '.join(formats)}")
    if target.exists() and not overwrite:
        raise ValueError(f"{target} is there already: choose another name, or add --overwrite")
    return target, named


def pictures_to_check(
    predictor: Predictor, checkpoint: str, given: str | None, kind: type[ResumableData[Any]], key: str
) -> list[Tensor]:
    """Return real pictures as a network takes them: those that are given, or validation pictures of its run.

    Args:
        predictor: reads those that are given.
        checkpoint: of the network.
        given: a picture, or a folder of them.
        kind: the application's data module.
        key: what its batches call the pictures.

    Returns:
        An empty list, if none are given and the checkpoint lies in no run whose data are still there.

    Raises:
        DataError: those that are given cannot be read.
    """
    if given is None:
        return pictures_of_run(Path(checkpoint), kind, key, CHECKED)
    files = list_pictures(Path(given)) if Path(given).is_dir() else [Path(given)]
    return [predictor.prepare(predictor.open(file)).nan_to_num(0) for file in files[:CHECKED]]
