"""A loader of batches that goes on where a resumed run stands."""

from collections.abc import Callable, Iterator
from multiprocessing.util import Finalize
from typing import Any

import lightning.pytorch as pl
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from training.data.sampling import EpochBatchSampler, resume_position
from training.signals import end_workers


class ResumableLoader(DataLoader[Any]):
    """A loader that can resume in the middle of an epoch, at the trainer's current batch.

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
        if self.num_workers:
            Finalize(None, end_workers, exitpriority=0)  # before Python ends the other processes itself

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # a generator: nothing runs before the first batch
        """Yield the batches that the trainer has not seen in this epoch."""
        if self.trainer is not None and self.trainer.training:
            self.batch_sampler.go_to(*resume_position(self.trainer))
        yield from super().__iter__()

    # Lightning considers a loader resumable if it has these two methods.

    def state_dict(self) -> dict[str, Any]:
        """Return what has to be stored: nothing, as the position follows from the trainer's."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what was stored: nothing."""


def in_shared_memory(collate: Callable[[list[Any]], Any], samples: list[Any]) -> Any:
    """Build a batch, and in a worker put it where the main process finds it.

    Torch would do so as it sends the batch, in a thread whose errors reach nobody: without enough shared memory a run
    would wait forever.

    Args:
        collate: what builds it.
        samples: of it.
    """
    batch = collate(samples)
    return batch if get_worker_info() is None else apply_to_collection(batch, Tensor, Tensor.share_memory_)
