"""Weights that stay as they are."""

from collections.abc import Iterable, Mapping

from torch import Tensor

from losses.weighting.base import Weighting, task_values


class FixedWeighting(Weighting):
    """Weights that stay as they are, equal ones unless others are given: the baseline of every comparison.

    Args:
        tasks: the names of the tasks.
        weights: one weight >= 0 for each task; 1 for all if left out.

    Raises:
        ValueError: weights of other tasks than ``tasks``, or negative ones.

    Example:
        >>> weighting = FixedWeighting(["seg", "depth"], weights={"seg": 1.0, "depth": 0.5})
        >>> weighting({"seg": torch.tensor(2.0), "depth": torch.tensor(4.0)})
        tensor(4.)
    """

    fixed: Tensor

    def __init__(self, tasks: Iterable[str], *, weights: Mapping[str, float] | None = None) -> None:
        super().__init__(tasks)
        self.register_buffer("fixed", task_values("weights", self.tasks, weights, default=1.0, at_least=0))

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        return self.fixed, self._nothing
