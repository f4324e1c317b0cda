"""The samples of a split, whose augmentation depends on the run's seed, the epoch and the sample alone."""

from abc import ABC, abstractmethod
from typing import Any, Generic, Literal, TypeVar

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from inference import DataError
from training.data.layout import Layout
from training.data.records import Records
from training.data.sampling import run_seed, seed_of

OnBadSample = Literal["raise", "skip"]
L = TypeVar("L", bound=Layout)


class EpochDataset(Dataset[Any], ABC, Generic[L]):
    """The samples of a split as the networks see them: ``dataset[epoch, index]``.

    What is random in a sample is a function of the run's seed, the epoch and the index.

    Args:
        layout: the samples on disk.
        augment: as in training; otherwise as in evaluation, where nothing is random.
        bad: of each sample, whether it could not be read: the next one that can be takes its place. None raises.
    """

    def __init__(self, layout: L, augment: bool, bad: Tensor | None = None) -> None:
        self.layout = layout
        self.augment = augment
        self.bad = bad

    @abstractmethod
    def sample(self, index: int, random: Generator | None) -> Any:
        """Return one sample; ``random`` is what its augmentation draws from, None without augmentation."""

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.layout)

    def __getitem__(self, key: tuple[int, int]) -> Any:
        """Return the sample at (epoch, index).

        Raises:
            DataError: it cannot be read; or none can, where others take the place of bad ones.
        """
        epoch, index = key
        if self.bad is None:
            return self._at(epoch, index)
        for step in range(len(self)):
            here = (index + step) % len(self)
            if not self.bad[here]:
                try:
                    return self._at(epoch, here)
                except (DataError, OSError):
                    self.bad[here] = True
        raise DataError(f"none of the {len(self)} samples can be read; on_bad_sample raise says why")

    def _at(self, epoch: int, index: int) -> Any:
        random = None
        if self.augment:
            random = torch.Generator().manual_seed(seed_of("augment", run_seed(), epoch, index))
        return self.sample(index, random)


class CacheableDataset(EpochDataset[L]):
    """Samples that are read first and changed at random afterwards, so that what was read can be kept.

    Args:
        layout: the samples on disk.
        augment: as in training.
        bad: as for :class:`EpochDataset`.

    Attributes:
        records: what is kept, if it is.
    """

    def __init__(self, layout: L, augment: bool, bad: Tensor | None = None) -> None:
        super().__init__(layout, augment, bad)
        self.records: Records | None = None

    @abstractmethod
    def whole(self, index: int) -> dict[str, Tensor]:
        """Read a sample, and do to it what is the same each time: tensors that a cache keeps."""

    @abstractmethod
    def settings(self) -> str:
        """Return all options that :meth:`whole` depends on, those of the layout excepted."""

    def kept(self, index: int) -> dict[str, Tensor] | None:
        """Return what :meth:`whole` has returned, which must not be written to; None, if that is not kept."""
        return None if self.records is None else self.records[index]
