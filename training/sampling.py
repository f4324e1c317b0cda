"""Randomness that belongs to the sample: order and augmentation as functions of (seed, epoch, index).

So the number of workers, their timing and a stop in the middle of an epoch change nothing.
"""

import hashlib
import os
from collections.abc import Iterator

import lightning.pytorch as pl
import torch
from torch.utils.data import Sampler


def run_seed() -> int:
    """Give the run's seed: what ``lightning.seed_everything`` was called with, else 0."""
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))


def seed_of(*parts: int | str) -> int:
    """Give a seed of 63 bits that depends on all ``parts`` and on nothing else."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()) >> 1


class EpochBatchSampler(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index), in an order of each epoch's own, shared out among the processes of a run.

    Args:
        length: how many samples there are.
        batch_size: samples in a batch, for each process.
        shuffle: an order of its own for each epoch, and whole batches alone, equally many for each process;
            otherwise the samples as they come, every one of them once.
        rank: this process.
        world_size: the number of processes.
        epoch: the epoch to begin with.
        position: how many batches of that epoch are done already.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        shuffle: bool,
        rank: int = 0,
        world_size: int = 1,
        epoch: int = 0,
        position: int = 0,
    ) -> None:
        self.length = length
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.epoch = epoch
        self.position = position
        self.sampler = self  # Lightning calls set_epoch on a loader's batch_sampler.sampler

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch's begin. For the epoch that it is in it changes nothing: iteration may have begun."""
        if epoch != self.epoch:
            self.epoch, self.position = epoch, 0

    def __len__(self) -> int:
        """Count the batches of a whole epoch, also when the first is begun in its middle."""
        if self.shuffle:
            return self.length // (self.batch_size * self.world_size)
        return -(-len(range(self.rank, self.length, self.world_size)) // self.batch_size)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Give this process's batches, from ``position`` on."""
        order = torch.arange(self.length)
        if self.shuffle:
            random = torch.Generator().manual_seed(seed_of("order", run_seed(), self.epoch))
            order = torch.randperm(self.length, generator=random)
        mine = order[self.rank :: self.world_size].tolist()
        for batch in range(self.position, len(self)):
            begin = batch * self.batch_size
            yield [(self.epoch, index) for index in mine[begin : begin + self.batch_size]]


def resume_position(trainer: pl.Trainer, batches: int) -> tuple[int, int]:
    """Give the epoch and the number of its batches that are done, of a run that may be a resumed one.

    To be called in ``train_dataloader``: the trainer's loops are restored then, and nothing is loaded yet.

    Args:
        trainer: what runs.
        batches: the batches of a whole epoch.
    """
    loop = trainer.fit_loop
    epoch, done = trainer.current_epoch, 0
    if loop.is_resuming and loop.epoch_progress.current.ready > epoch:
        done = loop.epoch_loop.batch_progress.current.ready
    return epoch + done // batches, done % batches
