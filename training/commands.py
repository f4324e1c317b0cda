"""The table of an application's commands: what each does, and what to import to run it.

Nothing here imports more than Python's own library before a command is chosen, so that ``--help`` answers at once.
"""

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import util
from pathlib import Path
from typing import NamedTuple, NoReturn

from training import __version__

SHARED = ("inference", "losses", "training")  # packages that both applications import


class Command(NamedTuple):
    """One command of an application.

    Attributes:
        help: a sentence for ``--help``.
        target: where to import from what runs it, ``module:name``: a :class:`training.CommandLine`, or a function,
            whose arguments are the command's options.
    """

    help: str
    target: str


def run_commands(
    program: str, description: str, commands: Mapping[str, Command], arguments: Sequence[str] | None = None
) -> None:
    """Run the command that the arguments name.

    Bad input ends with one line and exit code 1, bad usage with one line and exit code 2, Ctrl-C with one and 130.

    Args:
        program: the application's package.
        description: what ``--help`` says before the commands.
        commands: the table.
        arguments: the words after the program; by default those of the process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser(program, description, commands)
    name = next((word for word in words if not word.startswith("-")), None)
    if name is None or words[0] in ("-h", "--help", "--version"):
        parser.parse_args(words)
        parser.error("a command is missing")
    if name not in commands:
        parser.error(f"there is no command {name!r}; there are {', '.join(commands)}")
    if hidden := hidden_package(program):
        sys.exit(f"{program}: error: {hidden}")

    words.remove(name)
    try:
        from training.run_command import run_command  # here: it imports torch and Lightning, for several seconds

        run_command(program, name, commands[name].target, words)
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: stopped\n")
        sys.exit(128 + signal.SIGINT)


def hidden_package(program: str) -> str | None:
    """Return a message about a user's file that shadows one of our packages, or None if there is none."""
    package = util.find_spec(program)
    assert package is not None and package.origin is not None, f"{program} is a package of files"
    home = Path(package.origin).parents[1]
    for name in SHARED:
        found = util.find_spec(name)
        origin = Path(found.origin) if found and found.origin else None
        if origin is None or origin.parents[1] != home:
            return (
                f"{origin or Path.cwd() / name} hides the package {name} of {program}; "
                "rename it, or start the command in another folder"
            )
    return None


def _parser(program: str, description: str, commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    parser = _OneLineParser(prog=program, description=description)
    parser.add_argument("--version", action="version", version=f"{program} {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    hint = f"`{program} COMMAND --help` lists the options of one."
    table = parser.add_subparsers(title="commands", metavar="COMMAND", description=hint)
    for name, command in commands.items():
        table.add_parser(name, help=command.help)
    return parser


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with the message and exit code 2."""
        sys.stderr.write(f"{self.prog}: error: {message} (--help lists the commands)\n")
        sys.exit(2)
