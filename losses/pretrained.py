"""Pretrained weights, from a file or by torchvision's name for them."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, is_zipfile

import torch
from torch import Tensor


def trained_weights(network: str, weights: str | Path) -> tuple[Mapping[str, Tensor], Any]:
    """Load the weights of a network of torchvision's.

    Args:
        network: torchvision's name of it, such as vgg16.
        weights: the path of a file that holds a state_dict, read as data and not as code; or one of torchvision's names
            for weights of this network, such as IMAGENET1K_V1, which downloads them.

    Returns:
        The state_dict, and torchvision's entry with the mean and standard deviation to expect; None for a file.

    Raises:
        ValueError: the file holds something else.
        OSError: there is no such file and no such name, or the download failed.
    """
    import torchvision  # here: losses depends on torch alone until a network is asked for

    named = torchvision.models.get_model_weights(network)
    if str(weights) in named.__members__:
        entry = named[str(weights)]
        try:
            return entry.get_state_dict(progress=False, check_hash=True), entry
        except OSError as error:
            message = f"weights {weights} could not be downloaded from {entry.url} ({error}); pass the path of a file"
            raise OSError(message) from error
    if not Path(weights).is_file():
        names = ", ".join(named.__members__)
        raise FileNotFoundError(f"weights must be a file or one of {names}; there is no {weights}")
    return read_state_dict(weights), None


def read_state_dict(file: str | Path) -> Mapping[str, Tensor]:
    """Read the weights in a file, as data and not as code.

    Args:
        file: the path of a state_dict written by torch.save.

    Raises:
        ValueError: the file holds something else.
        OSError: there is no such file.
    """
    if not Path(file).is_file():
        raise FileNotFoundError(f"weights must be a file; there is no {file}")
    try:
        _refuse_compressed(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is none leads the reader anywhere
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        if isinstance(error, pickle.UnpicklingError):  # of which torch says how to run its code all the same
            reason = "it is damaged, or holds more than tensors"
        raise ValueError(f"weights {file} are not a file written by torch.save: {reason}") from error
    if not isinstance(state, Mapping):
        raise ValueError(f"weights {file} must hold a state_dict; got {type(state).__name__}")
    return state


def _refuse_compressed(file: str | Path) -> None:
    """Refuse an archive whose parts are compressed: torch.save stores them as they are, and a bomb does not."""
    if is_zipfile(file):
        with ZipFile(file) as archive:
            if any(part.compress_type != ZIP_STORED for part in archive.infolist()):
                raise ValueError("its parts are compressed")
