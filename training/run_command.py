"""Run one command of an application."""

import inspect
import logging
import pkgutil
import warnings

from jsonargparse import auto_cli

from training.command_line import CommandLine
from training.failures import OneLineErrors, one_line_failures


def run_command(program: str, name: str, target: str, options: list[str]) -> None:
    """Run one command; see :func:`training.run_commands`.

    Args:
        program: the application's package.
        name: the command's.
        target: what runs it, ``module:name``.
        options: the words of the command line but for the command. ``--debug`` among them lets errors pass, with their
            tracebacks.
    """
    with one_line_failures(program, options) as words:
        runs = pkgutil.resolve_name(target)
        if isinstance(runs, type) and issubclass(runs, CommandLine):
            _quiet_lightning()
            runs.run(name, words)
        else:
            description = (inspect.getdoc(runs) or "").partition("\n\nArgs:")[0]
            auto_cli(runs, args=words, prog=f"{program} {name}", description=description, parser_class=OneLineErrors)


def _quiet_lightning() -> None:
    """Silence what Lightning prints about itself, and its advice; other warnings stay."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers",
        ".*is smaller than the logging interval",
        ".*LeafSpec.* is deprecated",
        ".*exists and is not empty",  # of a resumed run, which goes on in its folder
        "You are using a custom batch sampler",  # which returns every sample once
        ".*The dirpath has changed from",  # of a test, which has a folder of its own
        ".*Trainer configured with multiple `ModelCheckpoint` callbacks",  # it takes the first, as it should
        "LightningCLI's args parameter",  # of a command that only parses its options with it
    ):
        warnings.filterwarnings("ignore", message)
