"""The long forms of what tests/soak/test_soak.py does in short: the table of docs/reliability.md, in half an hour.

    OMP_NUM_THREADS=1 python -m tests.soak

Small disks and closed ones need root, as they are mounted; the clock needs Debian's libfaketime.
"""

import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import lightning
import torch

from tests.soak import clocks, disks, kills, leaks, mounts, processes, signals, workers
from tests.soak.runs import Row

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- The output of make soak from here -->\n", "<!-- to here. -->\n"
KILLS, STOPS, WORKERS, STEPS = 26, 1, 2, 2000  # of each application and way
PROGRAMS = ("pix2pix", "multitask")


def faults() -> Iterator[Callable[[str, Path], Row]]:
    """Yield what is done to each application."""
    yield partial(kills.kill, kills=KILLS)
    for way in signals.WAYS:
        yield partial(signals.stop, way=way, times=STOPS)
    yield partial(workers.kill_worker, times=WORKERS)
    for rank in 0, 1:
        yield partial(processes.lose, rank=rank)
    if mounts.may_mount():
        yield workers.without_shared_memory
        yield disks.full_at_the_start
        yield disks.fills_up
        yield disks.closed
    else:
        print("small and closed disks are left out: they need root", file=sys.stderr)
    if clocks.LIBRARY:
        yield clocks.set_back
        yield clocks.same_second
    else:
        print("clocks are left out: they need libfaketime (apt-get install libfaketime)", file=sys.stderr)
    yield partial(leaks.watch, steps=STEPS)


def main() -> None:
    """Try everything, and write the table into the page as it grows."""
    begin, rows = time.monotonic(), []
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    with tempfile.TemporaryDirectory() as folder:
        for fault in faults():
            for program in PROGRAMS:
                rows.append(fault(program, Path(folder)))
                print(*rows[-1], sep=" | ", flush=True)
                text = "\n".join([machine(time.monotonic() - begin), "", *table(rows)]) + "\n"
                PAGE.write_text(before + BEGIN + text + END + after)
    if not all(row.held for row in rows):
        sys.exit("not all of it held")


def table(rows: list[Row]) -> list[str]:
    """Return a table in Markdown."""
    lines = (f"| {row.fault} | {row.tried} | {row.found} | {'yes' if row.held else '**no**'} |" for row in rows)
    return ["| fault | tried | found | held |", "|---|---|---|---|", *lines]


def machine(seconds: float) -> str:
    """Return what the table was made with."""
    names = (
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    )
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, Lightning {lightning.__version__}"
    return f"{next(names, platform.machine())}, one thread a process; {versions}; {seconds / 60:.0f} minutes."


if __name__ == "__main__":
    main()
