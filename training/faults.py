"""What the machine does to a run, told in a line that says what to try."""

import errno
import logging
import os
import re
import shutil
import sys

import torch

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} if hasattr(errno, "EDQUOT") else {errno.ENOSPC, errno.EFBIG}
CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}
LOST_WORKER = re.compile(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (?:is killed by signal: (\w[\w ]*)|exited)")
SHARED_MEMORY = re.compile(r"unable to (?:allocate|write|open|resize|mmap).*(?:shared memory|shm|/torch_)", re.DOTALL)
SHARED = "/dev/shm"
LITTLE = 2**20  # bytes
OUT_OF_SHARED_MEMORY = (
    f"the loader's workers are out of shared memory; give {SHARED} more (docker run --shm-size 2g), or load without "
    "workers: --data.num_workers 0"
)
HALF_WRITTEN = re.compile(r"unexpected pos \d+ vs \d+")  # torch.save, which something interrupted
LOST_PROCESS = re.compile(r"gloo|NCCL|[Cc]onnection (?:closed|reset) by peer|[Bb]roken pipe|TCPStore")


def explain(error: BaseException) -> str | None:
    """Return what happened to a run and what to try, in a line; None for what is no fault of its machine.

    Args:
        error: what ended the run.
    """
    error = _first(error)
    line: str | None
    if isinstance(error, OSError):
        line = _explain_file(error)
    elif isinstance(error, torch.OutOfMemoryError):
        line = "the device's memory is full; lower data.batch_size, or take --trainer.precision bf16-mixed"
    elif isinstance(error, RuntimeError):
        line = _explain_processes(str(error))
    else:
        return None
    return None if line is None else "; ".join([line, *getattr(error, "__notes__", [])])


def _first(error: BaseException) -> BaseException:
    """Return the error that began it: what else fails while it is handled, as on a full disk, says less."""
    while not error.__suppress_context__ and (before := error.__context__) and _follows(error, before):
        error = before
    return error


def _follows(error: BaseException, before: BaseException) -> bool:
    """Return whether an error says again what one before it said, or that it came while a checkpoint was written."""
    if isinstance(error, OSError) and isinstance(before, OSError):
        return before.errno == error.errno
    return isinstance(error, RuntimeError) and HALF_WRITTEN.search(str(error)) is not None


def _explain_file(error: OSError) -> str:
    what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    if error.errno in FULL:
        if not error.filename and os.path.isdir(SHARED) and shutil.disk_usage(SHARED).free < LITTLE:
            return OUT_OF_SHARED_MEMORY
        return f"{what}; free some, or choose another disk with --runs"
    if error.errno in CLOSED:
        return f"{what}; choose another place, such as --runs FOLDER"
    return f"{what}; choose another place" if error.filename else what


def _explain_processes(message: str) -> str | None:
    """Return what happened to the processes of a run: those that load samples, and those that train."""
    if SHARED_MEMORY.search(message):
        return OUT_OF_SHARED_MEMORY
    if worker := LOST_WORKER.search(message):
        number, cause = worker.groups()
        if cause == "Bus error":
            return OUT_OF_SHARED_MEMORY
        if cause == "Killed":
            return (
                f"the loader's worker {number} was killed, as the system does when memory is short; lower "
                "--data.num_workers or --data.batch_size"
            )
        how = f"ended by a signal ({cause})" if cause else "ended"
        return f"the loader's worker {number} {how}; --data.num_workers 0 shows why"
    if LOST_PROCESS.search(message):
        return f"another process of the run is gone ({' '.join(message.split())})"
    return None


class LostProcesses(logging.Handler):
    """Say that a process of a run is gone, when Lightning is about to kill the others for it without a word.

    Args:
        program: what the line begins with.
    """

    def __init__(self, program: str) -> None:
        super().__init__()
        self.program = program

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line for Lightning's message, which names the process and its exit code."""
        if found := re.search(r"PID \d+ terminated with code -?\d+", record.getMessage()):
            line = f"another process of the run is gone ({found[0]}); resume from the run's last.ckpt"
            sys.stderr.write(f"{self.program}: error: {line}\n")
            sys.stderr.flush()
