"""The base of the data modules, whose batches a resumed run continues as if it had never stopped."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Generic, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor

from inference import DataError
from training.data.cache import Cache, fingerprint, kept_in_memory, kept_on_disk
from training.data.dataset import CacheableDataset, EpochDataset, L, OnBadSample
from training.data.loader import ResumableLoader, in_shared_memory
from training.data.records import Records
from training.data.sampling import EpochBatchSampler
from training.signals import ignore_signals

Split = Literal["train", "val", "test"]
WORKERS = 16  # processes for each core, at most: more only take memory
MOST_BY_DEFAULT = 8


class ResumableData(pl.LightningDataModule, ABC, Generic[L]):
    """Base of the data modules: the samples of three splits of a layout, in batches.

    The order of an epoch is a function of the run's seed and the epoch, and the augmentation of a sample of these and
    its index. The trainer must leave the sampler as it is: ``Trainer(use_distributed_sampler=False)``.

    Args:
        root: the data set's folder.
        layout: how the samples lie in it: a class, or a function, that is called with the root and the name of a split.
        batch_size: samples in a batch, for each process, at least 1.
        num_workers: processes that load samples, from 0 to 16 for each core; 0 loads them in the main one. None takes
            as many as this process has cores, 8 at most.
        train_split: the split that is trained on.
        val_split: the split that chooses the best checkpoint.
        test_split: the split of ``test`` and ``predict``.
        on_bad_sample: what happens when a training sample cannot be read: ``raise`` ends the run; with ``skip`` the
            next sample takes its place, and the end of the run tells how many were left out, and which.
        cache: where samples of training and validation are kept as they are before anything random is done to them, if
            :meth:`dataset` returns a ``CacheableDataset``: ``disk`` is a file in ``root/cache``, ``memory`` is shared
            by the processes that load samples. None keeps none.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(
        self,
        root: str | Path | None,
        layout: Callable[[Any, str], L],
        batch_size: int,
        num_workers: int | None,
        train_split: str,
        val_split: str,
        test_split: str,
        on_bad_sample: OnBadSample = "raise",
        cache: Cache | None = None,
    ) -> None:
        super().__init__()
        num_workers = cores_of_a_process() if num_workers is None else num_workers
        for name, value, smallest in ("batch_size", batch_size, 1), ("num_workers", num_workers, 0):
            if value < smallest:
                raise ValueError(f"{name} must be at least {smallest}; got {value}")
        if num_workers > (most := WORKERS * (os.cpu_count() or 1)):
            raise ValueError(f"num_workers must be at most {most}, {WORKERS} for each core; got {num_workers}")
        self.root = None if root is None else Path(root)
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.split_names: dict[Split, str] = {"train": train_split, "val": val_split, "test": test_split}
        self.on_bad_sample = on_bad_sample
        self.cache = cache
        self._layout = layout
        self._splits: dict[Split, L] = {}
        self._bad: Tensor | None = None
        self._in_memory: dict[Split, tuple[tuple[str, str], Records | None]] = {}

    @abstractmethod
    def dataset(self, split: Split, augment: bool = False) -> EpochDataset[L]:
        """Return the samples of ``train``, ``val`` or ``test`` as the networks see them: ``dataset[epoch, index]``.

        Args:
            split: which.
            augment: as in training; otherwise as in evaluation, where nothing is random.
        """

    @abstractmethod
    def collate(self, samples: list[Any]) -> Any:
        """Build a batch of samples, in a worker process if there are any."""

    def layout(self, split: Split) -> L:
        """Return the samples of ``train``, ``val`` or ``test`` as stored on disk; they are searched for once."""
        if split not in self._splits:
            self._splits[split] = self._layout(self.root, self.split_names[split])
        return self._splits[split]

    def bad(self, split: Split) -> Tensor | None:
        """Return of each sample of a split whether it could not be read and is left out, in all worker processes.

        None where a bad sample is an error: by default, and in evaluation, whose metrics would be of other samples.
        """
        if self.on_bad_sample == "raise" or split != "train":
            return None
        if self._bad is None:
            self._bad = torch.zeros(len(self.layout("train")), dtype=torch.bool).share_memory_()
        return self._bad

    def describe(self) -> list[str]:
        """Describe what was found out about the data, in lines for the start of a run."""
        return []

    def what_models_need(self) -> dict[str, Any]:
        """Return what using a model that was trained on these data has to know of them; checkpoints keep it.

        Plain values, lists and dictionaries of them.
        """
        return {}

    def take_over(self, known: Mapping[str, Any]) -> None:
        """Take over what :meth:`what_models_need` returned when the checkpoint was written that is used now.

        Raises:
            ValueError: an option contradicts it.
        """

    def why_no_test(self) -> str | None:
        """Return why there is nothing to test a trained model on, or None if there is."""
        try:
            self.layout("test")
        except DataError as error:
            return str(error)
        return None

    def prepare_data(self) -> None:
        """Build the training split once, before the other processes of a machine: some layouts write files then."""
        with suppress(DataError):  # without one, data can still be tested on; what a stage needs is seen to in setup
            self.layout("train")

    def setup(self, stage: str) -> None:
        """Find the splits that ``stage`` needs, so that a missing one is reported before anything starts.

        Raises:
            DataError: a split is missing or empty.
            ValueError: there is less than one batch to train on.
        """
        needed: dict[str, tuple[Split, ...]] = {"fit": ("train", "val"), "validate": ("val",)}
        for split in needed.get(stage, ("test",)):
            self.layout(split)
        if stage == "fit" and len(self.layout("train")) < self.batch_size * self._world_size:
            raise ValueError(
                f"{len(self.layout('train'))} training samples are less than one batch; lower batch_size, "
                f"{self.batch_size} for each of {self._world_size} processes"
            )

    def fill_caches(self) -> None:
        """Read what ``cache`` keeps, unless that is done already; otherwise the loaders do when they are made."""
        if self.cache is not None:
            self._keep("train", self.dataset("train", augment=True))
            self._keep("val", self.dataset("val"))

    def train_dataloader(self) -> ResumableLoader:
        """Return the training batches; a resumed run finds those that it has not seen yet."""
        return self._loader("train", shuffle=True, keep=True)

    def val_dataloader(self) -> ResumableLoader:
        """Return the validation samples, each once."""
        return self._loader("val", keep=True)

    def test_dataloader(self) -> ResumableLoader:
        """Return the test samples, each once."""
        return self._loader("test")

    def predict_dataloader(self) -> ResumableLoader:
        """Return the test samples, each once."""
        return self._loader("test")

    def evaluation_dataloader(self, split: Split) -> ResumableLoader:
        """Return the samples of any split as in evaluation: each once, nothing random."""
        return self._loader(split)

    @property
    def _world_size(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    def _loader(self, split: Split, shuffle: bool = False, keep: bool = False) -> ResumableLoader:
        dataset = self.dataset(split, augment=shuffle)
        if keep:
            self._keep(split, dataset)
        rank = self.trainer.global_rank if self.trainer else 0
        sampler = EpochBatchSampler(len(dataset), self.batch_size, shuffle, rank, self._world_size)
        return ResumableLoader(
            dataset,
            trainer=self.trainer if shuffle else None,
            batch_sampler=sampler,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=partial(in_shared_memory, self.collate),
            worker_init_fn=ignore_signals,
            # Its own generator: with torch's, a run would depend on the number of loaders built before.
            generator=torch.Generator().manual_seed(0),
        )

    def _keep(self, split: Split, dataset: EpochDataset[L]) -> None:
        """Give a dataset the cache of its split; it is made if there is none of these files and settings."""
        if self.cache is None or not isinstance(dataset, CacheableDataset):
            return
        name = self.split_names[split]
        if self.cache == "disk":
            dataset.records = kept_on_disk(dataset, name, self.root, self.num_workers)
            return
        now = fingerprint(dataset, self.root)
        before, dataset.records = self._in_memory.get(split, (None, None))
        if now != before:
            dataset.records = kept_in_memory(dataset, name, self.num_workers)
            self._in_memory[split] = now, dataset.records


def cores_of_a_process() -> int:
    """Return the processor cores of each of a machine's processes, from 1 to 8: more workers seldom have more to do."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(min(cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), MOST_BY_DEFAULT), 1)
