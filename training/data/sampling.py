"""Random numbers that depend on the sample: order and augmentation are functions of (seed, epoch, index).

So the number of workers, their timing and a stop in the middle of an epoch change nothing.
"""

import hashlib
import os
from collections.abc import Iterator

import lightning.pytorch as pl
import torch
from torch.utils.data import Sampler


def run_seed() -> int:
    """Return the run's seed: what ``lightning.seed_everything`` was called with, else 0."""
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))


def seed_of(*parts: int | str) -> int:
    """Return a seed of 63 bits that depends on all ``parts`` and on nothing else."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()) >> 1


class EpochBatchSampler(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index), in a different order each epoch, divided among the processes of a run.

    Args:
        length: how many samples there are.
        batch_size: samples in a batch, for each process.
        shuffle: a different order each epoch, and only whole batches, the same number for each process; otherwise
            all samples in order, each once.
        rank: this process.
        world_size: the number of processes.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        shuffle: bool,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.length = length
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.position = 0
        self.sampler = self  # Lightning calls set_epoch on a loader's batch_sampler.sampler

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of an epoch; in the epoch that it is in already, stay where it is."""
        if epoch != self.epoch:
            self.go_to(epoch, 0)

    def go_to(self, epoch: int, position: int) -> None:
        """Begin the next iteration in ``epoch``, after the first ``position`` of its batches."""
        self.epoch, self.position = epoch, position

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch, even when the first one starts in the middle."""
        if self.shuffle:
            return self.length // (self.batch_size * self.world_size)
        return -(-len(range(self.rank, self.length, self.world_size)) // self.batch_size)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Yield this process's batches, from ``position`` on."""
        order = torch.arange(self.length)
        if self.shuffle:
            random = torch.Generator().manual_seed(seed_of("order", run_seed(), self.epoch))
            order = torch.randperm(self.length, generator=random)
        mine = order[self.rank :: self.world_size]
        for batch in range(self.position, len(self)):
            begin = batch * self.batch_size
            yield [(self.epoch, index) for index in mine[begin : begin + self.batch_size].tolist()]


def resume_position(trainer: pl.Trainer) -> tuple[int, int]:
    """Return the epoch that a trainer is in, and how many of its batches are done; both are 0 in a new run.

    They are true as soon as the training loop asks for its first batch; before that, those of a resumed run may not
    be restored yet.
    """
    return trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_progress.current.ready
