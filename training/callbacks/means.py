"""Means over an epoch that are kept on the device, so that nothing waits for it before the epoch ends."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch.strategies import Strategy
from torch import Tensor


class Means:
    """Means of values that come in one after the other, by their names; values that are not finite do not count."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}  # of name: [sum, count]

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add values, without waiting for the device.

        Args:
            values: by name a tensor of any shape, each of whose elements counts as one.
        """
        for name, value in values.items():
            value = value.detach().float()
            counted = value.isfinite()
            # Not by the counted elements alone: an index of booleans waits for the device.
            found = torch.stack([torch.where(counted, value, 0).sum(), counted.sum()])
            self._sums[name] = found + self._sums[name].to(found.device) if name in self._sums else found

    def compute(self, names: Sequence[str], strategy: Strategy) -> dict[str, float]:
        """Return the means over all processes, which must all call this, and forget them.

        Args:
            names: of all values that are asked for, in the same order everywhere.
            strategy: of the trainer.

        Returns:
            A mean for each name, NaN where no value came in.
        """
        nothing = torch.zeros(2, device=strategy.root_device)
        sums = torch.stack([nothing, *(self._sums.get(name, nothing).to(nothing) for name in names)])
        self._sums = {}
        totals: Tensor = strategy.reduce(sums, reduce_op="sum")
        found = zip(names, totals[1:].tolist(), strict=True)
        return {name: total / count if count else math.nan for name, (total, count) in found}

    def state_dict(self) -> dict[str, Any]:
        """Return what came in so far."""
        return dict(self._sums)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore it."""
        self._sums = dict(state)
