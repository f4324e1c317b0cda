"""The long forms of what tests/soak/test_soak.py does in short: the table of docs/reliability.md, in twenty minutes.

    OMP_NUM_THREADS=1 python -m tests.soak [KIND...]

Kinds are those of the files beside this one; the rows of the others stay in the table. Small disks and closed ones need
root, as they are mounted; the clock needs Debian's libfaketime.
"""

import platform
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import lightning
import torch

from tests.soak import clocks, disks, kills, leaks, mounts, processes, signals, workers
from tests.soak.runs import Row

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- The output of make soak from here -->\n", "<!-- to here. -->\n"
KILLS, STOPS, WORKERS, STEPS = 26, 1, 2, 2000  # of each application and way
PROGRAMS = ("pix2pix", "multitask")
HEAD = ["| fault | tried | found | held |", "|---|---|---|---|"]
CPU = Path("/proc/cpuinfo")
Fault = Callable[[str, Path], Row]


def faults() -> dict[str, list[Fault]]:
    """Return what is done to each application, by its kind."""
    all_of_them: dict[str, list[Fault]] = {
        "kills": [partial(kills.kill, kills=KILLS)],
        "signals": [partial(signals.stop, way=way, times=STOPS) for way in signals.WAYS],
        "workers": [partial(workers.kill_worker, times=WORKERS)],
        "processes": [partial(processes.lose, rank=rank) for rank in (0, 1)],
        "disks": [workers.without_shared_memory, disks.full_at_the_start, disks.fills_up, disks.closed],
        "clocks": [clocks.set_back, clocks.same_second],
        "leaks": [partial(leaks.watch, steps=STEPS)],
    }
    if not mounts.may_mount():
        print("disks are left out: they are mounted, which needs root", file=sys.stderr)
        del all_of_them["disks"]
    if not clocks.LIBRARY:
        print("clocks are left out: they need libfaketime (apt-get install libfaketime)", file=sys.stderr)
        del all_of_them["clocks"]
    return all_of_them


def main() -> None:
    """Try everything, or the kinds that the command line names, and write the table into the page as it grows."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    old, _, after = rest.partition(END)
    lines = {line.split(" | ")[0]: line for line in old.splitlines() if line.startswith("| ")}
    tried, held = faults(), True
    with tempfile.TemporaryDirectory() as folder:
        for kind in sys.argv[1:] or tried:
            for fault, program in product(tried[kind], PROGRAMS):
                row = fault(program, Path(folder))
                line = line_of(row)
                print(line, flush=True)
                lines[line.split(" | ")[0]] = line
                held &= row.held
                PAGE.write_text(before + BEGIN + table([*lines.values()]) + END + after)
    if not held:
        sys.exit("not all of it held")


def line_of(row: Row) -> str:
    """Return a line of the table, in Markdown."""
    return f"| {row.fault} | {row.tried} | {row.found} | {'yes' if row.held else '**no**'} |"


def table(lines: list[str]) -> str:
    """Return what stands in the page: with what it was made, and the table."""
    names = (line.partition(":")[2].strip() for line in CPU.read_text().splitlines() if line.startswith("model name"))
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, Lightning {lightning.__version__}"
    head = [f"{next(names, platform.machine())}, one thread a process; {versions}", "", *HEAD]
    return "\n".join([*head, *(line for line in lines if line not in HEAD)]) + "\n"


if __name__ == "__main__":
    main()
