"""The base of the data modules: batches that a resumed run sees as if it had never stopped."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sized
from typing import Any, Protocol

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, Dataset

from training.sampling import EpochBatchSampler, resume_position


class EpochDataset(Sized, Protocol):
    """Samples by (epoch, index)."""

    def __getitem__(self, key: tuple[int, int], /) -> Any:
        """Give a sample; what is random in it is a function of the run's seed, the epoch and the index."""


class ResumableData(pl.LightningDataModule, ABC):
    """Base of the data modules: samples of ``train``, ``val`` and ``test`` in batches.

    An epoch's order is a function of the run's seed and the epoch, and a sample's augmentation of these and its index.
    The trainer is to leave the sampler as it is: ``Trainer(use_distributed_sampler=False)``.

    Args:
        batch_size: samples in a batch, for each process, at least 1.
        num_workers: processes that load samples, at least 0; 0 loads them in the main one.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(self, batch_size: int, num_workers: int) -> None:
        super().__init__()
        for name, value, smallest in ("batch_size", batch_size, 1), ("num_workers", num_workers, 0):
            if value < smallest:
                raise ValueError(f"{name} must be at least {smallest}; got {value}")
        self.batch_size = batch_size
        self.num_workers = num_workers

    @abstractmethod
    def dataset(self, split: str, augment: bool = False) -> EpochDataset:
        """Give the samples of ``train``, ``val`` or ``test`` as the networks see them: ``dataset[epoch, index]``.

        Args:
            split: which.
            augment: as in training; otherwise as in evaluation, where nothing is random.
        """

    @abstractmethod
    def collate(self, samples: list[Any]) -> Any:
        """Make a batch of samples; in a loading process."""

    def setup(self, stage: str) -> None:
        """Find what ``stage`` needs, so that what is missing is said before anything starts.

        Raises:
            ValueError: there is less than one batch to train on.
        """
        needed = {"fit": ("train", "val"), "validate": ("val",)}.get(stage, ("test",))
        counts = {split: len(self.dataset(split)) for split in needed}
        if stage == "fit" and counts["train"] < self.batch_size * self._world_size:
            raise ValueError(
                f"{counts['train']} samples to train on are less than one batch; lower batch_size, {self.batch_size} "
                f"for each of {self._world_size} processes"
            )

    def train_dataloader(self) -> "ResumableLoader":
        """Return the training batches; a resumed run finds those that it has not seen yet."""
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> "ResumableLoader":
        """Give the validation samples, each once."""
        return self._loader("val")

    def test_dataloader(self) -> "ResumableLoader":
        """Give the test samples, each once."""
        return self._loader("test")

    def predict_dataloader(self) -> "ResumableLoader":
        """Give the test samples, each once."""
        return self._loader("test")

    @property
    def _world_size(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    def _loader(self, split: str, shuffle: bool = False) -> "ResumableLoader":
        dataset = self.dataset(split, augment=shuffle)
        rank = self.trainer.global_rank if self.trainer else 0
        sampler = EpochBatchSampler(len(dataset), self.batch_size, shuffle, rank, self._world_size)
        return ResumableLoader(
            dataset,  # type: ignore[arg-type]  # torch's Dataset asks for no more
            trainer=self.trainer if shuffle else None,
            batch_sampler=sampler,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=self.collate,
            worker_init_fn=ignore_interrupts,
            # Of its own, or it would draw from torch's, and a run would depend on how often it made loaders.
            generator=torch.Generator().manual_seed(0),
        )


class ResumableLoader(DataLoader[Any]):
    """A loader that goes on in the middle of an epoch, at the batch that the trainer is at.

    The position is looked up when the first batch is asked for, not when the loader or its iterator is made: Lightning
    makes both before it restores its loops, as soon as anything asks for ``trainer.estimated_stepping_batches``.

    Args:
        dataset: samples by (epoch, index).
        batch_sampler: the batches.
        trainer: whose training loop the batches are for; None begins where the sampler stands.
        options: of torch's ``DataLoader``.
    """

    batch_sampler: EpochBatchSampler

    def __init__(
        self,
        dataset: Dataset[Any],
        batch_sampler: EpochBatchSampler,
        trainer: pl.Trainer | None = None,
        **options: Any,
    ) -> None:
        super().__init__(dataset, batch_sampler=batch_sampler, **options)
        self.trainer = trainer

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # a generator: nothing runs before the first batch
        """Yield the batches that the trainer has not seen in this epoch."""
        if self.trainer is not None and self.trainer.training:
            self.batch_sampler.go_to(*resume_position(self.trainer))
        yield from super().__iter__()

    # Lightning takes a loader for resumable if it has these two methods.

    def state_dict(self) -> dict[str, Any]:
        """Return what has to be stored: nothing, as the position follows from the trainer's."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what was stored: nothing."""


def ignore_interrupts(worker: int) -> None:
    """Leave Ctrl-C to the main process, which stops in good order and the workers with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
