"""How the time and memory of a training step grow: the tables and the figure of docs/benchmarks.md.

Over the side of the pictures, the batch, the channels and the number of tasks; and those of the start of a run over the
number of pairs. Each point has a process for itself, on one thread. Then what a second process gains.
"""

import logging
import math
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from matplotlib.figure import Figure
from torch.utils.data import DataLoader

from benchmarks.alone import PeakMemory, alone
from benchmarks.machine import machine
from benchmarks.memory import Clock, Found
from benchmarks.scaling import write_photographs
from losses.figures.style import new_panels
from multitask import Depth, MultiTask, SmallEncoder
from pix2pix import PairedImages, PatchDiscriminator, Pix2Pix, UNetGenerator

FIGURE = Path(__file__).parent.parent / "docs" / "growth.png"
STEPS = 6
TOTAL = 8  # pairs of a step, which one process takes whole and each of two by halves


class Curve(NamedTuple):
    """What grows, over what."""

    title: str
    what: str
    values: Sequence[int]
    measure: Callable[[int, torch.device], Found]


def train(model: pl.LightningModule, batch: Mapping[str, Any], device: torch.device, steps: int = STEPS) -> Found:
    """Train on one batch over and over."""
    memory, clock = PeakMemory(device), Clock(device)
    trainer_of(device, clock).fit(model, DataLoader([batch] * steps, batch_size=None))
    return Found(memory.megabytes(), clock.seconds())


def trainer_of(device: torch.device, *callbacks: Callback, **options: Any) -> pl.Trainer:
    """Build a Trainer that leaves nothing behind, for one epoch."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    chosen = {"accelerator": device.type, "devices": 1, "max_epochs": 1, "limit_val_batches": 0, **options}
    return pl.Trainer(callbacks=list(callbacks), **quiet, **chosen)


def step_of_pix2pix(device: torch.device, side: int = 128, batch: int = 4, channels: int = 32) -> Found:
    """Train a U-Net of 6 levels and the PatchGAN of 70 x 70."""
    model = Pix2Pix(UNetGenerator(base_channels=channels, levels=6), PatchDiscriminator(6, channels))
    return train(model, pairs(batch, side), device)


def pairs(count: int, side: int) -> dict[str, Any]:
    """Return a batch of noise."""
    source, target = torch.rand(2, count, 3, side, side) * 2 - 1
    return {"input": source, "target": target, "name": ["a"] * count}


def over_sides(side: int, device: torch.device) -> Found:
    """Train on pictures of this side."""
    return step_of_pix2pix(device, side=side)


def over_batches(batch: int, device: torch.device) -> Found:
    """Train on as many pairs a step."""
    return step_of_pix2pix(device, batch=batch)


def over_channels(channels: int, device: torch.device) -> Found:
    """Train networks that are as wide."""
    return step_of_pix2pix(device, channels=channels)


def over_tasks(count: int, device: torch.device) -> Found:
    """Train as many heads on one encoder, all to estimate a depth."""
    names = [f"depth{number}" for number in range(count)]
    model = MultiTask(SmallEncoder(), {name: Depth(name) for name in names})
    batch = {"image": torch.rand(4, 3, 128, 128), **{name: torch.rand(4, 1, 128, 128) for name in names}}
    return train(model, batch, device)


def over_pairs(count: int, device: torch.device) -> Found:
    """Find as many pairs on disk, and read one; they are names of a few files."""
    with tempfile.TemporaryDirectory() as folder:
        split = write_photographs(Path(folder, "photographs")) / "train"
        files = sorted(split.iterdir())
        for number in range(len(files), count):  # a file has as many names as its system lets it have
            os.link(files[number % len(files)], split / f"{number:06}{files[0].suffix}")
        memory, start = PeakMemory(torch.device("cpu")), time.perf_counter()
        data = PairedImages(str(split.parent), num_workers=0)
        data.prepare_data()
        data.setup("fit")
        assert len(data.dataset("train")) == count
        data.dataset("train", augment=True)[0, count - 1]
        return Found(memory.megabytes(), time.perf_counter() - start)


CURVES = (
    Curve("a step of pix2pix", "side (pixels)", (64, 128, 256, 512), over_sides),
    Curve("a step of pix2pix", "batch", (1, 2, 4, 8, 16), over_batches),
    Curve("a step of pix2pix", "base channels", (16, 32, 64, 128), over_channels),
    Curve("a step of multitask", "tasks", (1, 2, 4, 8), over_tasks),
    Curve("the start of a run", "pairs", (1_000, 10_000, 100_000), over_pairs),
)


def slope(values: Sequence[int], found: Sequence[float]) -> float:
    """Return the exponent of the power of ``values`` that ``found`` grows as: the slope between their logarithms."""
    logarithms = [math.log(value) for value in values], [math.log(each) for each in found]
    return statistics.linear_regression(*logarithms).slope


def table(curve: Curve, found: Sequence[Found]) -> str:
    """Write the table of a curve, with the slopes below."""
    lines = [f"| {curve.what} | time of {curve.title} | peak memory |", "|---:|---:|---:|"]
    for value, each in zip(curve.values, found, strict=True):
        lines.append(f"| {value:,} | {each.seconds:.3f} s | {each.peak:,.0f} MB |")
    slopes = [slope(curve.values, column) for column in ([f.seconds for f in found], [f.peak for f in found])]
    lines.append(f"| slope | {slopes[0]:.2f} | {slopes[1]:.2f} |")
    return "\n".join(lines)


def draw(curves: Mapping[Curve, Sequence[Found]]) -> Figure:
    """Draw times above and memory below, over what they grow with."""
    figure, panels = new_panels(len(curves), rows=2)
    figure.set_size_inches(3.2 * len(curves), 6)
    for place, (curve, found) in enumerate(curves.items()):
        for row, column in enumerate(([f.seconds for f in found], [f.peak for f in found])):
            axes = panels[row * len(curves) + place]
            axes.plot(curve.values, column, marker="o")
            axes.set_xscale("log", base=10 if curve.values[-1] > 1000 else 2)
            axes.set_yscale("log")
            axes.set_xlabel(f"{curve.what}; slope {slope(curve.values, column):.2f}")
            axes.xaxis.set_major_formatter("{x:,.0f}")
            least, most = min(column), max(column)
            shown = [least, most] if most < 1.2 * least else [least, math.sqrt(least * most), most]
            axes.set_yticks(shown, [f"{each:,.0f}" if each >= 100 else f"{each:.2g}" for each in shown])
            axes.set_ylim(least / 1.2, most * 1.2)  # what hardly grows looks flat
            axes.minorticks_off()
        panels[place].set_title(curve.title)
    panels[0].set_ylabel("seconds")
    panels[len(curves)].set_ylabel("peak memory (MB)")
    return figure


class Keep(Clock):
    """Writes the time of a step, by a clock on the wall, from the main process to a file.

    Args:
        file: for it.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(torch.device("cpu"))
        self.file = file

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        """Note the time."""
        self.ends.append(time.perf_counter())

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write it."""
        if trainer.is_global_zero:
            self.file.write_text(str(self.seconds()))


def processes_train(count: int, total: int = TOTAL, side: int = 256, channels: int = 64, levels: int = 8) -> float:
    """Return how long a step of the paper's networks takes as many processes of one thread, on the CPU."""
    model = Pix2Pix(UNetGenerator(base_channels=channels, levels=levels), PatchDiscriminator(6, channels))
    several = {"devices": count, "strategy": "ddp_fork_find_unused_parameters_true"} if count > 1 else {}
    with tempfile.TemporaryDirectory() as folder:
        keep = Keep(Path(folder, "seconds"))
        trainer = trainer_of(torch.device("cpu"), keep, use_distributed_sampler=False, **several)
        trainer.fit(model, DataLoader([pairs(total // count, side)] * STEPS, batch_size=None))
        return float(keep.file.read_text())


def efficiency() -> str:
    """Measure what a second process gains."""
    one, two = (alone(processes_train, count) for count in (1, 2))
    return (
        f"Two processes of one thread each, over gloo, take {two:.2f} s for a step of {TOTAL} pairs of 256 x 256; one "
        f"takes {one:.2f} s. That is {one / two:.2f} times as fast, {100 * one / (2 * two):.0f} % of twice."
    )


def report(device: torch.device) -> str:
    """Measure everything; on the CPU draw docs/growth.png, too."""
    found = {curve: [alone(curve.measure, value, device) for value in curve.values] for curve in CURVES}
    torch.set_num_threads(1)
    parts = [machine(device=device), *(table(curve, each) for curve, each in found.items())]
    if device.type == "cpu":
        draw(found).savefig(FIGURE, dpi=100)
        parts += [f"![Time and memory over size]({FIGURE.name})", efficiency()]
    return "\n\n".join(parts)
