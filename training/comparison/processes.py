"""The processes that a comparison starts, which end with it."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType


class Processes:
    """Runs commands, from several threads at the same time, and stops them all when this process is asked to stop."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._stopping = False

    def run(self, call: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end.

        Args:
            call: its words.
            environment: variables beside those of this process.

        Returns:
            Its exit code, and what it wrote.
        """
        pipes = subprocess.PIPE
        with subprocess.Popen(call, stdout=pipes, stderr=pipes, text=True, env=os.environ | environment) as process:
            self._running.add(process)
            if self._stopping:
                process.terminate()
            out, err = process.communicate()
            self._running.discard(process)
        return subprocess.CompletedProcess(call, process.returncode, out, err)

    @contextmanager
    def stopped_together(self) -> Iterator[None]:
        """Pass SIGTERM on to all that run, which save and end, and then end this process.

        A terminal sends Ctrl-C to all of them by itself.
        """
        before = signal.signal(signal.SIGTERM, self._stop)
        try:
            yield
        except SystemExit:  # here and not in _stop, which may come in the middle of another print
            print("stopped; the same command resumes it", flush=True)
            raise
        finally:
            signal.signal(signal.SIGTERM, before)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        for process in list(self._running):
            process.terminate()
        raise SystemExit(128 + number)


PROCESSES = Processes()
