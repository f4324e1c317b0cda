"""Commands in processes of their own, without the seconds in which a new process imports everything."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch

import multitask.__main__
import pix2pix.__main__

MAIN = {"multitask": multitask.__main__.main, "pix2pix": pix2pix.__main__.main}
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["multitask.command_line", "multitask.data", "multitask.tasks", "pix2pix.command_line", "pix2pix.data", __name__]
)


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        code: its exit code, that of a signal negative.
        out: what it said on stdout.
        err: and on stderr.
    """

    code: int
    out: str
    err: str


class Fork:
    """A function that runs in a fork of a process that has imported both applications.

    It has a session of its own, as what a terminal starts has: a signal to its group reaches it and its workers alone.

    Args:
        function: what runs.
        arguments: its arguments, which are pickled.
        folder: where it runs; what it says goes to the files out and err in it.
        environment: variables that it has beside those of this process.
    """

    def __init__(
        self,
        function: Callable[..., object],
        arguments: tuple[Any, ...],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.process = FORKS.Process(target=_run, args=(function, arguments, folder, dict(environment or {})))
        self.process.start()
        assert self.process.pid is not None
        self.pid = self.process.pid

    def signal(self, number: int, group: bool = False) -> None:
        """Send a signal: to the process, or to all of its group; nothing where it has ended."""
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)

    def wait(self, seconds: float = 240) -> Ended:
        """Wait until it has ended; kill it if that takes too long."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.signal(signal.SIGKILL)
            self.process.join()
            raise TimeoutError(f"still running after {seconds} s: {(self.folder / 'err').read_text()}")
        out, err = ((self.folder / name).read_text() for name in ("out", "err"))
        return Ended(self.process.exitcode or 0, out, err)


def run_command(program: str, words: list[str]) -> None:
    """Run a command of an application, as a process of its own would."""
    sys.argv[:] = [program]
    MAIN[program](words)


def fork_command(program: str, words: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> Fork:
    """Run a command of an application in a fork; see :class:`Fork`."""
    return Fork(run_command, (program, words), folder, environment)


def _run(
    function: Callable[..., object], arguments: tuple[Any, ...], folder: Path, environment: dict[str, str]
) -> None:
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup ignores, for all that it starts
    os.chdir(folder)
    for descriptor, name in (1, "out"), (2, "err"):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ.update(environment)
    multiprocessing.set_start_method("fork", force=True)  # of its workers, as in a process that no server has forked
    torch.set_num_threads(1)
    function(*arguments)
