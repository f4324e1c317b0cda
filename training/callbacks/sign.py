"""The base of the signs that tell a run's health."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
from torch import Tensor


@dataclass(frozen=True)
class Epoch:
    """What a sign knows at the end of an epoch.

    Attributes:
        means: of what is named in ``Sign.averaged``, NaN where nothing was measured.
        logged: what the model has logged, the newest values; those of validation only if there was one.
        steps: batches that the run has trained on.
    """

    means: Mapping[str, float]
    logged: Mapping[str, Tensor]
    steps: int


class Sign(ABC):
    """A way in which a training goes wrong, and how it shows.

    In some steps and in each validation it measures; over the epoch, and over all processes, what it measured is
    averaged; of the averages it makes the values of the epoch, and of these, if they are bad, a sentence.

    Attributes:
        name: of the sign, unlike that of others.
        columns: the names of its values in ``health.csv``, unlike those of others.
        averaged: the names of all that it measures in steps and in validation, unlike those of others.
        explains: the names of signs that follow from this one: while it is bad, they are not told.
        memory: what it knows of earlier epochs; it is in the checkpoint.
    """

    name: str
    columns: Sequence[str]
    averaged: Sequence[str] = ()
    explains: Sequence[str] = ()

    def __init__(self) -> None:
        self.memory: dict[str, float] = {}

    def before_step(self, model: pl.LightningModule) -> None:  # noqa: B027  # most signs ask for nothing
        """Ask the model for what a step must measure by itself, before one of the steps that are looked at."""

    def in_step(self, model: pl.LightningModule, logged: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Measure after one of the steps that are looked at, without waiting for the device.

        Args:
            model: which has stepped.
            logged: what it has logged so far in this epoch, the newest values.

        Returns:
            Tensors of any shape, by some of the names in ``averaged``.
        """
        return {}

    def in_validation(self, output: Any, batch: Any) -> Mapping[str, Tensor]:
        """Measure a batch of validation.

        Args:
            output: what the model's ``validation_step`` returned.
            batch: of samples.

        Returns:
            Tensors of any shape, by some of the names in ``averaged``.
        """
        return {}

    def start_validation(self) -> None:  # noqa: B027  # most remember nothing
        """Forget the batches of the last validation."""

    def end_validation(self) -> Mapping[str, Tensor]:
        """Measure all batches of a validation together; returns what :meth:`in_validation` does."""
        return {}

    @abstractmethod
    def values(self, epoch: Epoch) -> dict[str, float]:
        """Return what ``health.csv`` has of an epoch, by the names in ``columns``; NaN is what is not known."""

    @abstractmethod
    def warning(self, values: Mapping[str, float]) -> str | None:
        """Return what is likely wrong and what to try, to follow "since epoch 3", or None where all is well.

        Args:
            values: of the epoch.
        """
