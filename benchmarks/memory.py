"""What memory a training step of pix2pix takes beside the plain one: the table of docs/benchmarks.md.

The networks of the paper at 256 x 256. Each case has a process for itself, and its peak is over what imports take.
"""

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from benchmarks.alone import PeakMemory, alone
from benchmarks.machine import machine, now
from benchmarks.plain_pix2pix import PlainStep, PlainUNet, plain_patch_gan, trained_in_memory
from pix2pix import PatchDiscriminator, Pix2Pix, UNetGenerator
from training.callbacks import Networks

SIDE = 256
BATCHES = (1, 16)
STEPS = 3  # the first makes the optimizers' state


class Case(NamedTuple):
    """Who trains, and how."""

    name: str
    plain: bool = False
    recompute: bool = False
    precision: str = "32-true"


CASES = (
    Case("the plain step", plain=True),
    Case("ours"),
    Case("ours, `networks.recompute`", recompute=True),
)
ON_A_GPU = (  # many a CPU has no arithmetic in bfloat16, and takes minutes
    Case("ours, bfloat16", precision="bf16-mixed"),
    Case("ours, bfloat16, `networks.recompute`", recompute=True, precision="bf16-mixed"),
)


class Found(NamedTuple):
    """The peak of memory in 10**6 bytes, and the time of a step in seconds."""

    peak: float
    seconds: float


class Clock(Callback):
    """Notes when steps end.

    Args:
        device: that is waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.ends: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        """Note the time."""
        self.ends.append(now(self.device))

    def seconds(self) -> float:
        """Return the median time between two steps."""
        return statistics.median(b - a for a, b in zip(self.ends, self.ends[1:], strict=False))


def measure(
    case: Case, batch: int, device: torch.device, side: int = SIDE, channels: int = 64, levels: int = 8
) -> Found:
    """Train some steps."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    memory, clock = PeakMemory(device), Clock(device)
    pictures = torch.rand(2, batch, 3, side, side, device=device) * 2 - 1
    if case.plain:
        step = PlainStep(PlainUNet(channels, levels).to(device), plain_patch_gan(channels).to(device))
        for _ in range(STEPS):
            step(*pictures)
            clock.ends.append(now(device))
    else:
        model = Pix2Pix(UNetGenerator(base_channels=channels, levels=levels), PatchDiscriminator(6, channels))
        callbacks = [clock, Networks(recompute=case.recompute)]
        trained_in_memory(model, pictures, STEPS, callbacks, case.precision)
    return Found(memory.megabytes(), clock.seconds())


def table(found: dict[Case, Sequence[Found]], batches: Sequence[int]) -> str:
    """Write the table of cases, beside the first of them."""
    heads = " | ".join(f"batch {batch} | beside the plain step | time of a step" for batch in batches)
    lines = [f"| | {heads} |", "|---|" + "---:|---:|---:|" * len(batches)]
    plain = next(iter(found.values()))
    for case, sizes in found.items():
        cells = [
            f"{each.peak:,.0f} MB | {each.peak / beside.peak:.2f} | {each.seconds:.2f} s"
            for each, beside in zip(sizes, plain, strict=True)
        ]
        lines.append(f"| {case.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def report(device: torch.device) -> str:
    """Measure all cases."""
    cases = CASES + (ON_A_GPU if device.type == "cuda" else ())
    found = {case: [alone(measure, case, batch, device) for batch in BATCHES] for case in cases}
    torch.set_num_threads(1)
    return f"{machine(device=device)}\n\n{table(found, BATCHES)}"
