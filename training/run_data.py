"""The data of a run, from the configuration that lies beside its checkpoints."""

from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from inference import read_checkpoint, run_of
from inference.configuration import read_yaml
from training.data import ResumableData
from training.failures import OneLineErrors, refuse_not_finite

Data = TypeVar("Data", bound=ResumableData[Any])


def data_of_run(run: Path, kind: type[Data], root: str | None = None) -> Data:
    """Build the data module of a run as its ``config.yaml`` describes it.

    Args:
        run: the run's folder.
        kind: the application's data module.
        root: in place of the data set's folder.

    Raises:
        ValueError: there is no such file, or no data in it.
        WrongUsage: its options are not those of the data module.
    """
    if not (run / "config.yaml").is_file():
        raise ValueError(f"{run / 'config.yaml'}: no such file; {run} is not the folder of a run")
    return data_of_config(run / "config.yaml", kind, root)


def data_of_config(file: Path, kind: type[Data], root: str | None = None) -> Data:
    """Build the data module that a configuration describes.

    Args:
        file: the configuration.
        kind: the application's data module.
        root: in place of the data set's folder.

    Raises:
        ValueError: there are no data in the file.
        WrongUsage: its options are not those of the data module.
    """
    try:
        options = read_yaml(file)["data"]
        if root is not None:
            options["init_args"]["root"] = root
    except (KeyError, TypeError):
        raise ValueError(f"{file}: not a configuration with data") from None
    parser = OneLineErrors(prog=str(file))
    parser.add_argument("--data", type=kind)
    parsed = parser.parse_object({"data": options})
    refuse_not_finite(parsed)
    data: Data = parser.instantiate_classes(parsed).data
    return data


def pictures_of_run(checkpoint: Path, kind: type[Data], key: str, count: int) -> list[Tensor]:
    """Return validation pictures of the run that wrote a checkpoint, as its networks saw them: channels x H x W.

    Args:
        checkpoint: the file.
        kind: the application's data module.
        key: what a batch calls them.
        count: how many at most, spread evenly over the split.

    Returns:
        An empty list, if the checkpoint lies in no run, or the data are not there any more.
    """
    run = run_of(checkpoint)
    if run is None:
        return []
    try:
        data = data_of_run(run, kind)
        if known := read_checkpoint(checkpoint).get("data"):
            data.take_over(known)
        dataset = data.dataset("val")
    except (ValueError, OSError):
        return []
    count = min(count, len(dataset))
    samples = (dataset[0, index * len(dataset) // count] for index in range(count))
    return [data.collate([sample])[key][0] for sample in samples]
