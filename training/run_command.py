"""Run one command of an application."""

import inspect
import logging
import pkgutil
import warnings
from collections.abc import Callable
from typing import Any

import docstring_parser

from training.command_line import CommandLine
from training.configurations import check_configurations
from training.failures import OneLineErrors, one_line_failures, refuse_not_finite
from training.faults import LostProcesses


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
        check_configurations(words)
        runs = pkgutil.resolve_name(target)
        if isinstance(runs, type) and issubclass(runs, CommandLine):
            _quiet_lightning(program)
            runs.run(name, words)
        else:
            _run_function(runs, f"{program} {name}", words)


def _run_function(function: Callable[..., None], prog: str, words: list[str]) -> None:
    """Run a function whose arguments are the words of a command line.

    Its positional arguments are that on the command line too, a list among them for one word or more; its keyword-only
    arguments are options, and those that are bool are flags. Its docstring is the help.
    """
    documented = docstring_parser.parse(inspect.getdoc(function) or "")
    description = (inspect.getdoc(function) or "").partition("\n\nArgs:")[0]
    help_of = {argument.arg_name: argument.description for argument in documented.params}
    parser = OneLineErrors(prog=prog, description=description)
    taken: set[str | int] = set()
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty:
            several: dict[str, Any] = {"nargs": "+"} if parameter.annotation == list[str] else {}
            parser.add_argument(name, type=str, help=help_of[name], **several)
            taken.add(name)
        elif parameter.annotation is bool:
            parser.add_argument(f"--{name}", action="store_true", help=help_of[name])
            taken.add(name)
    parser.add_function_arguments(function, skip=taken, as_positional=False)
    parsed = parser.parse_args(words)
    refuse_not_finite(parsed)
    values = vars(parser.instantiate_classes(parsed))
    function(**{name: value for name, value in values.items() if name != "config"})


def _quiet_lightning(program: str) -> None:
    """Silence what Lightning prints about itself, and its advice; other warnings stay."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    launcher = logging.getLogger("lightning.fabric.strategies.launchers.subprocess_script")
    launcher.setLevel(logging.INFO)
    launcher.handlers, launcher.propagate = [LostProcesses(program)], False
    for message in (
        ".*does not have many workers",
        ".*is smaller than the logging interval",
        ".*LeafSpec.* is deprecated",
        ".*exists and is not empty",  # of a resumed run, which goes on in its folder
        "You are using a custom batch sampler",  # which returns every sample once
        ".*The dirpath has changed from",  # of a test, which has a folder of its own
        ".*Trainer configured with multiple `ModelCheckpoint` callbacks",  # it takes the first, as it should
        ".*could not find the monitored key",  # of a run that ends before its first validation, which says so itself
        "LightningCLI's args parameter",  # of a command that only parses its options with it
    ):
        warnings.filterwarnings("ignore", message)
