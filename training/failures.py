"""End a command that fails with one line."""

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.utilities import rank_zero_only

from training.callbacks.last_checkpoint import Interrupted
from training.faults import explain
from training.wording import plain

HINT = " (--debug shows where)"


@contextmanager
def one_line_failures(program: str, words: list[str]) -> Iterator[list[str]]:
    """Run a command; bad input ends it with one line and exit code 1, wrong usage with one and exit code 2.

    After Ctrl-C the line says how to resume, and after a fault of the machine that the run can go on from, too.

    Args:
        program: what the lines begin with.
        words: of the command line. ``--debug`` among them lets errors pass, with their tracebacks.

    Yields:
        The words without ``--debug``.
    """
    try:
        yield [word for word in words if word != "--debug"]
    except WrongUsage as error:
        sys.stderr.write(f"{program}: error: {plain(error.message)} (--help names the options)\n")
        sys.exit(2)
    except Interrupted as stop:
        resume = f"; resume with: python -m {program} fit --ckpt_path {stop.checkpoint}" if stop.checkpoint else ""
        say(f"\nstopped{resume}")
        sys.exit(128 + stop.signal)
    except MemoryError as error:
        if "--debug" in words:
            raise
        sys.exit(f"{program}: error: out of memory ({plain(error)}); take smaller pictures or batches{HINT}")
    except (ValueError, OSError, ModuleNotFoundError, MisconfigurationException, RuntimeError) as error:
        line = explain(error) or (None if isinstance(error, RuntimeError) else error)
        if "--debug" in words or line is None:
            raise
        sys.exit(f"{program}: error: {plain(line)}{HINT}")


class WrongUsage(SystemExit):
    """The words of a command line are wrong: exit code 2, and a line that :func:`one_line_failures` prints.

    A parser does not print it itself: those that jsonargparse makes for the options of a class do not know the program.

    Args:
        message: what is wrong.
    """

    def __init__(self, message: str) -> None:
        super().__init__(2)
        self.message = message


class OneLineErrors(LightningArgumentParser):
    """A parser that reports an error in one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with the message and exit code 2."""
        raise WrongUsage(message)


@rank_zero_only
def say(line: str) -> None:
    """Print a line, on the main process alone."""
    print(line)


def refuse_not_finite(value: Any, name: str = "") -> None:
    """Require numbers in options that are finite: NaN and infinity mean a mistake, and pass many checks of ranges.

    Args:
        value: options, by their names.
        name: what they belong to.

    Raises:
        WrongUsage: one is not.
    """
    if isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, Mapping):
        for key, each in value.items():
            refuse_not_finite(each, name if key == "init_args" else f"{name}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for each in value:
            refuse_not_finite(each, name)
    elif isinstance(value, float) and not math.isfinite(value):
        raise WrongUsage(f"{name} must be a finite number; got {value}")
