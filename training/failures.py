"""End a command that fails with one line."""

import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.utilities import rank_zero_only

from training.callbacks.last_checkpoint import Interrupted
from training.faults import explain

HINT = " (--debug shows where)"
ABOUT_UNIONS = re.compile(  # what jsonargparse says around the reason, where an option may be one of several types
    r"Does not validate against any of the Union subtypes"
    r"|^\s*(Subtypes: .*|Errors:|Given value type: .*|Given value: Namespace\(.*)$"
    r"|^\s*- Expected a (<class 'NoneType'>|path but \S+ either not accessible or invalid)",
    re.MULTILINE,
)


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
        sys.stderr.write(f"{program}: error: {_one_line(error.message)} (--help names the options)\n")
        sys.exit(2)
    except Interrupted as stop:
        go_on = f"; go on with: python -m {program} fit --ckpt_path {stop.checkpoint}" if stop.checkpoint else ""
        say(f"\nstopped{go_on}")
        sys.exit(128 + stop.signal)
    except (ValueError, OSError, ModuleNotFoundError, MisconfigurationException, RuntimeError) as error:
        line = explain(error) or (None if isinstance(error, RuntimeError) else str(error))
        if "--debug" in words or line is None:
            raise
        sys.exit(f"{program}: error: {_one_line(line)}{HINT}")
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: stopped\n")
        sys.exit(128 + signal.SIGINT)


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


def _one_line(message: object) -> str:
    line = " ".join(ABOUT_UNIONS.sub("", str(message)).split())
    return re.sub(r"(^|: )(- )+", r"\1", line)
