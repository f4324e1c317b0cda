"""Measure in a process that does nothing else, whose memory is its own."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

Options = ParamSpec("Options")
Result = TypeVar("Result")


def alone(function: Callable[Options, Result], *args: Options.args, **options: Options.kwargs) -> Result:
    """Return what a function of a module returns, which runs in a new process; what it takes is pickled."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **options).result()


class PeakMemory:
    """The most memory that is used from here on, beside what is used now.

    Args:
        device: with a GPU its memory counts, and not that of the process.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._before = 0
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
            self._before = _of_this_process("VmRSS")

    def megabytes(self) -> float:
        """Return it, in 10**6 bytes."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 1e6
        return (_of_this_process("VmHWM") - self._before) / 1e6


def _of_this_process(name: str) -> int:
    lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) * 1024
