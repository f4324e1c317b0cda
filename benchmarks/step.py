"""What a training step of pix2pix costs beside the plain one: prints tables of docs/benchmarks.md."""

import argparse
import statistics
import time
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from benchmarks.machine import machine
from benchmarks.plain_pix2pix import (
    PlainStep,
    PlainUNet,
    copy_weights,
    plain_patch_gan,
    require_same_step,
    trained_in_memory,
)
from pix2pix import PatchDiscriminator, Pix2Pix, UNetGenerator

STEPS = {1: 30, 4: 12, 16: 6}  # at 256 x 256, by the batch size; the first three do not count
WARM_UP = 3
SMALL, SMALL_STEPS = 32, 400


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
        self._start = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        """Stop it, and time the other."""
        ended = time.perf_counter()
        self.plain(*self.pictures)
        self._finish(ended, time.perf_counter())

    def _finish(self, ended: float, plain_ended: float) -> None:
        self.ours.append(ended - self._start)
        self.theirs.append(plain_ended - ended)
        self._start = time.perf_counter()


def take_turns(
    generator: UNetGenerator, plain: PlainStep, discriminator: PatchDiscriminator, pictures: Tensor, steps: int
) -> TakeTurns:
    """Train both on the same pictures, step by step in turns.

    Args:
        generator: ours.
        plain: the plain step.
        discriminator: ours.
        pictures: inputs and targets, 2 x N x 3 x H x W.
        steps: how many.
    """
    turns = TakeTurns(plain, pictures)
    trained_in_memory(Pix2Pix(generator, discriminator), pictures, steps, [turns])
    return turns


def of_the_paper(batches: Sequence[int]) -> None:
    """Print how many times as fast as the plain step ours is, with the paper's networks at 256 x 256."""
    print("| batch | the plain step | ours | times as fast (quartiles) |")
    print("|---:|---:|---:|---:|")
    for batch in batches:
        torch.manual_seed(0)
        generator, discriminator = UNetGenerator(), PatchDiscriminator()
        plain = PlainStep(PlainUNet(), plain_patch_gan())
        copy_weights(generator, plain.generator)
        copy_weights(discriminator, plain.discriminator)
        turns = take_turns(generator, plain, discriminator, torch.rand(2, batch, 3, 256, 256) * 2 - 1, STEPS[batch])
        ours, theirs = turns.ours[WARM_UP:], turns.theirs[WARM_UP:]
        low, middle, high = statistics.quantiles([b / a for a, b in zip(ours, theirs, strict=True)])
        print(
            f"| {batch} | {statistics.median(theirs):.2f} s | {statistics.median(ours):.2f} s | "
            f"**{middle:.2f}** ({low:.2f} to {high:.2f}) |"
        )


def overhead() -> None:
    """Print what the Trainer with the callbacks of every run adds to a step of small networks, both with fused Adam."""
    torch.manual_seed(0)
    networks = [(UNetGenerator(base_channels=8, levels=5), PatchDiscriminator(6, 8, layers=2)) for _ in range(2)]
    pictures = torch.rand(2, 1, 3, SMALL, SMALL) * 2 - 1
    (generator, discriminator), others = networks
    turns = take_turns(generator, PlainStep(*others, fused=True), discriminator, pictures, SMALL_STEPS)
    more = [a - b for a, b in zip(turns.ours[WARM_UP:], turns.theirs[WARM_UP:], strict=True)]
    low, middle, high = (1000 * each for each in statistics.quantiles(more))
    bare = 1000 * statistics.median(turns.theirs[WARM_UP:])
    print(
        f"At {SMALL} x {SMALL} the Trainer adds {middle:.1f} ms ({low:.1f} to {high:.1f}) to a step of {bare:.1f} ms."
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, nargs="*", default=list(STEPS), choices=list(STEPS))
    batches = parser.parse_args().batches
    require_same_step()
    print(machine())
    print()
    overhead()
    print()
    if batches:
        of_the_paper(batches)


if __name__ == "__main__":
    main()
