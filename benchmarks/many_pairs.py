"""What a data set of many pairs costs before the first is read: prints a table of docs/benchmarks.md."""

import gc
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.machine import machine
from pix2pix.data import PairedImages, Pairs, SideBySide, TwoFolders

PAIRS = 100_000
ROUNDS = 5
LAYOUTS: dict[str, tuple[Callable[[Path, str], Pairs], tuple[str, ...]]] = {  # and the folders of their files
    "SideBySide": (SideBySide, ("{split}",)),
    "TwoFolders": (TwoFolders, ("A/{split}", "B/{split}")),
}


def write_names(root: Path, folders: tuple[str, ...]) -> None:
    """Make the files of a data set, which are empty: nothing reads them."""
    for split, count in {"train": PAIRS, "val": 1, "test": 1}.items():
        for folder in folders:
            place = root / folder.format(split=split)
            place.mkdir(parents=True)
            for index in range(count):
                (place / f"photograph_{index:08}.jpg").touch()


def start(root: Path, layout: Callable[[Path, str], Pairs]) -> PairedImages:
    """Do what a run does of it."""
    data = PairedImages(root, layout)
    data.prepare_data()
    data.setup("fit")
    return data


def row(name: str) -> str:
    """Measure a layout; return a line of the table."""
    layout, folders = LAYOUTS[name]
    with tempfile.TemporaryDirectory() as folder:
        write_names(Path(folder), folders)
        times = []
        for _ in range(ROUNDS):
            began = time.process_time()
            start(Path(folder), layout)
            times.append(time.process_time() - began)
        gc.collect()
        tracemalloc.start()
        data = start(Path(folder), layout)
        held = tracemalloc.get_traced_memory()[0] / len(data.layout("train"))
        tracemalloc.stop()
    return f"| `{name}` | {statistics.median(times):.2f} s | {held:.0f} B |"


def report(device: torch.device) -> str:
    """Measure; return the Markdown.

    Args:
        device: not used, as nothing of it is done by one.
    """
    lines = [machine(), "", f"| {PAIRS:,} pairs | processor's time until the first is read | memory a pair |"]
    return "\n".join([*lines, "|---|---:|---:|", *map(row, LAYOUTS)])
