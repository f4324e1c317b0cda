"""Measure this project beside others: the tables of docs/benchmarks.md.

    python -m benchmarks                 # all parts, each in a process of its own; the page is written again
    python -m benchmarks step loader     # these alone
    python -m benchmarks --device cuda   # on a GPU, those that train or run networks

Nothing else should run meanwhile.
"""

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path

import torch

PARTS = {  # by their names, whether a GPU is of interest
    "losses": False,
    "weighting": True,
    "translate": False,
    "step": True,
    "loader": False,
    "many_pairs": False,
    "memory": True,
    "growth": True,
}
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
END = "<!-- end -->"


def measure(part: str, device: str) -> str:
    """Return what a part found, in Markdown; it has a process for itself, as memory and threads are a process's."""
    command = [sys.executable, "-m", "benchmarks", part, "--device", device, "--print"]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}  # a part that wants more threads sets them
    return subprocess.run(command, env=alone, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def put(page: str, part: str, device: str, found: str) -> str:
    """Return a page with what a part found on a device in its place.

    Raises:
        ValueError: the page has no place for it.
    """
    begin = f"<!-- {part} on {device} -->"
    before, marker, rest = page.partition(begin)
    _, end, after = rest.partition(END)
    if not (marker and end):
        raise ValueError(f"the page has no place for {part}: lines with {begin} and {END}")
    return f"{before}{begin}\n{found}\n{END}{after}"


def main() -> None:
    """Measure, and write the page part by part, or print one part."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"which; by default all of {', '.join(PARTS)}")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--print", action="store_true", help="print what is found, and leave the page as it is")
    options = parser.parse_args()
    on_gpu = options.device == "cuda"
    parts = options.parts or [part for part, of_interest in PARTS.items() if of_interest or not on_gpu]
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    if on_gpu and not torch.cuda.is_available():
        parser.error("there is no GPU that torch can use")
    for part in parts:
        if options.print:
            print(importlib.import_module(f"benchmarks.{part}").report(torch.device(options.device)))
        else:
            found = measure(part, options.device)
            PAGE.write_text(put(PAGE.read_text(), part, options.device, found))
            print(found, end="\n\n", flush=True)


if __name__ == "__main__":
    main()
