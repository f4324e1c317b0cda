"""End a command that fails with one line."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.utilities import rank_zero_only

from training.callbacks.last_checkpoint import Interrupted

HINT = " (--debug shows where)"


@contextmanager
def one_line_failures(program: str, words: list[str]) -> Iterator[list[str]]:
    """Run a command; bad input ends it with one line and exit code 1, Ctrl-C with one that says how to resume.

    Args:
        program: what the lines begin with.
        words: of the command line. ``--debug`` among them lets errors pass, with their tracebacks.

    Yields:
        The words without ``--debug``.
    """
    try:
        yield [word for word in words if word != "--debug"]
    except Interrupted as stop:
        say(f"\nstopped; go on with: python -m {program} fit --ckpt_path {stop.checkpoint}")
        sys.exit(128 + stop.signal)
    except (ValueError, OSError, ModuleNotFoundError, MisconfigurationException) as error:
        if "--debug" in words:
            raise
        sys.exit(f"{program}: error: {_one_line(error)}{HINT}")
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: stopped\n")
        sys.exit(128 + signal.SIGINT)


class OneLineErrors(LightningArgumentParser):
    """A parser that reports an error in one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with the message and exit code 2."""
        wrong_usage(self.prog, message)


def wrong_usage(program: str, message: str) -> NoReturn:
    """End with one line and exit code 2.

    Args:
        program: the command, of which the first word is named.
        message: what is wrong.
    """
    sys.stderr.write(f"{program.split()[0]}: error: {_one_line(message)} (--help names the options)\n")
    sys.exit(2)


@rank_zero_only
def say(line: str) -> None:
    """Print a line, on the main process alone."""
    print(line)


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
