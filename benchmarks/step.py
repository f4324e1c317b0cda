"""What a training step of pix2pix costs beside the plain one: tables of docs/benchmarks.md."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from benchmarks.machine import machine, now
from benchmarks.plain_pix2pix import (
    PlainStep,
    PlainUNet,
    copy_weights,
    plain_patch_gan,
    require_same_step,
    trained_in_memory,
)
from pix2pix import PatchDiscriminator, Pix2Pix, UNetGenerator
from training.callbacks import Networks

WARM_UP = 3  # steps that do not count
SMALL, SMALL_STEPS = 32, 400
BF16 = "bf16-mixed"


class Row(NamedTuple):
    """What is compared: a batch of 256 x 256.

    Attributes:
        batch: pairs in it.
        steps: that are timed, after the warm-up.
        precision: None for float32, else the Trainer's name; the plain step is under the same autocast.
        networks: how ours are computed.
    """

    batch: int
    steps: int
    precision: Any = None
    networks: Networks | None = None

    @property
    def name(self) -> str:
        """What the table calls it."""
        # A trainer gives its callbacks more attributes than these, none of which is True.
        options = [] if self.networks is None else [name for name, on in vars(self.networks).items() if on is True]
        return (
            f"{self.batch}{f', {self.precision}' if self.precision else ''}{''.join(f', {each}' for each in options)}"
        )


ON_CPU = [Row(1, 27), Row(4, 9), Row(16, 4)]
ON_GPU = [
    *(Row(batch, 50) for batch in (1, 4, 16)),
    *(Row(batch, 50, BF16) for batch in (1, 16)),
    *(Row(batch, 50, BF16, Networks(channels_last=True)) for batch in (1, 16)),
    *(Row(batch, 50, BF16, Networks(compile=True, channels_last=True)) for batch in (1, 16)),
]


class TakeTurns(Callback):
    """Times each step of the Trainer, from the end of the step before, and a plain step after it.

    Args:
        plain: the plain step.
        pictures: what it trains on.
    """

    def __init__(self, plain: PlainStep, pictures: Tensor) -> None:
        self.plain, self.pictures = plain, pictures
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self._start = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._start = now(self.pictures.device)

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        """Stop it, and time the other."""
        ended = now(self.pictures.device)
        self.plain(*self.pictures)
        plain_ended = now(self.pictures.device)
        self.ours.append(ended - self._start)
        self.theirs.append(plain_ended - ended)
        self._start = plain_ended


def of_the_paper(device: torch.device, rows: Sequence[Row]) -> Iterator[str]:
    """Yield how many times as fast as the plain step ours is, with the paper's networks at 256 x 256."""
    yield "| batch | the plain step | ours | times as fast (quartiles) |"
    yield "|---:|---:|---:|---:|"
    for row in rows:
        torch.manual_seed(0)
        generator, discriminator = UNetGenerator().to(device), PatchDiscriminator().to(device)
        autocast = None if row.precision is None else torch.autocast(device.type, torch.bfloat16)
        plain = PlainStep(PlainUNet().to(device), plain_patch_gan().to(device), autocast=autocast)
        copy_weights(generator, plain.generator)
        copy_weights(discriminator, plain.discriminator)
        pictures = torch.rand(2, row.batch, 3, 256, 256, device=device) * 2 - 1
        turns = TakeTurns(plain, pictures)
        callbacks = [turns] if row.networks is None else [row.networks, turns]
        model = Pix2Pix(generator, discriminator)
        trained_in_memory(model, pictures, WARM_UP + row.steps, callbacks, row.precision)
        ours, theirs = turns.ours[WARM_UP:], turns.theirs[WARM_UP:]
        low, middle, high = statistics.quantiles([b / a for a, b in zip(ours, theirs, strict=True)])
        times = f"{statistics.median(theirs):.3g} s | {statistics.median(ours):.3g} s"
        yield f"| {row.name} | {times} | **{middle:.2f}** ({low:.2f} to {high:.2f}) |"


def overhead(device: torch.device) -> str:
    """Tell what the Trainer with the callbacks of every run adds to a step of small networks, both with fused Adam."""
    torch.manual_seed(0)
    networks = [
        (UNetGenerator(base_channels=8, levels=5).to(device), PatchDiscriminator(6, 8, layers=2).to(device))
        for _ in range(2)
    ]
    pictures = torch.rand(2, 1, 3, SMALL, SMALL, device=device) * 2 - 1
    (generator, discriminator), others = networks
    turns = TakeTurns(PlainStep(*others, fused=True), pictures)
    trained_in_memory(Pix2Pix(generator, discriminator), pictures, SMALL_STEPS, [turns])
    more = [a - b for a, b in zip(turns.ours[WARM_UP:], turns.theirs[WARM_UP:], strict=True)]
    low, middle, high = (1000 * each for each in statistics.quantiles(more))
    bare = 1000 * statistics.median(turns.theirs[WARM_UP:])
    return (
        f"At {SMALL} x {SMALL} the Trainer adds {middle:.1f} ms ({low:.1f} to {high:.1f}) to a step of {bare:.1f} ms."
    )


def report(device: torch.device) -> str:
    """Measure both, after a look that both steps are the same."""
    torch.set_num_threads(1)
    require_same_step()
    rows = ON_CPU if device.type == "cpu" else ON_GPU
    return "\n".join([machine(device=device), "", overhead(device), "", *of_the_paper(device, rows)])
