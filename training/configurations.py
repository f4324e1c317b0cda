"""Where a command finds its configuration, and the run that a checkpoint is from."""

import pickle
from importlib import util
from pathlib import Path

import torch


def with_configuration(words: list[str], program: str, demo: str) -> list[str]:
    """Fill in the configuration of a command that names none, and find those that travel with the package by name.

    Without ``--config``, ``fit`` takes the demo's, and another command that of the run whose checkpoint it is given.

    Args:
        words: the command and its options.
        program: the application's package.
        demo: the name of its configuration for those who try it.
    """
    if not words or words[0].startswith("-"):
        return words
    options = words[1:]
    given = [index for index, word in enumerate(options) if word in ("-c", "--config")]
    for index in given:
        shipped = configurations_of(program) / f"{''.join(options[index + 1 : index + 2])}.yaml"
        if shipped.is_file():
            options[index + 1] = str(shipped)
    if not given and not any(word.startswith("--config=") for word in options):
        checkpoint = checkpoint_in(options)
        run = run_of(checkpoint) if checkpoint else None
        configuration = run / "config.yaml" if run else configurations_of(program) / f"{demo}.yaml"
        options = ["--config", str(configuration), *options]
    return [words[0], *options]


def configurations_of(program: str) -> Path:
    """Give the folder of an application's configurations: inside the installed package, or at the top of a clone."""
    specification = util.find_spec(program)
    assert specification is not None and specification.origin is not None, f"{program} is a package of files"
    package = Path(specification.origin).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs" / program


def checkpoint_in(options: list[str]) -> str | None:
    """Give the checkpoint that options name, if any."""
    for index, word in enumerate(options):
        option, equals, value = word.partition("=")
        if option == "--ckpt_path":
            return value if equals else "".join(options[index + 1 : index + 2])
    return None


def check_readable(checkpoint: str) -> None:
    """Refuse what is no checkpoint of ours, before anything is begun; its tensors are not read for that.

    Raises:
        ValueError: it is not there, or nothing that can be read.
    """
    try:
        readable = "state_dict" in torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{checkpoint}: no such file") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, TypeError):
        readable = False
    if not readable:
        raise ValueError(f"{checkpoint}: no checkpoint that can be read; take another, such as last.ckpt or best.ckpt")


def run_of(checkpoint: str) -> Path | None:
    """Give the folder of the run that wrote ``checkpoint``, if that is where it lies."""
    run = Path(checkpoint).absolute().parent.parent
    return run if (run / "config.yaml").is_file() else None
