"""Weights by how fast the losses fall."""

from collections.abc import Iterable

import torch
from torch import Tensor

from losses.convention import check_number
from losses.weighting.base import Weighting


class DynamicWeightAverage(Weighting):
    r"""Dynamic weight average, :math:`w_i = T\,\mathrm{softmax}_i(r_i/\tau)` (Liu et al. 2019), for T tasks.

    :math:`r_i` is the mean loss of the last epoch over that of the one before: what falls slowly counts more. The first
    two epochs weigh all tasks alike. Call :meth:`end_epoch` after each epoch.

    Args:
        tasks: the names of the tasks.
        temperature: :math:`\tau` > 0; the paper's is 2. Larger ones weigh more evenly.

    Raises:
        ValueError: ``temperature`` is not above 0.

    Example:
        >>> weighting = DynamicWeightAverage(["seg", "depth"])
        >>> for seg, depth in (4.0, 4.0), (1.0, 4.0):  # two epochs of one step: seg falls, depth does not
        ...     parameter = torch.ones((), requires_grad=True)
        ...     weighting({"seg": seg * parameter, "depth": depth * parameter}).backward()
        ...     weighting.step()
        ...     weighting.end_epoch()
        >>> weighting.current
        tensor([0.8147, 1.1853])
    """

    current: Tensor
    sums: Tensor
    steps: Tensor
    last: Tensor

    def __init__(self, tasks: Iterable[str], *, temperature: float = 2.0) -> None:
        super().__init__(tasks)
        check_number("temperature", temperature, above=0)
        self.temperature = temperature
        self.register_buffer("current", torch.ones_like(self._nothing))
        for name in ("sums", "steps"):
            self.register_buffer(name, torch.zeros_like(self._nothing))
        self.register_buffer("last", torch.full_like(self._nothing, torch.nan))

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        return self.current, self._nothing

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        self.sums += torch.where(present, losses, 0)
        self.steps += present

    @torch.no_grad()
    def end_epoch(self) -> None:
        """Set the weights of the next epoch from the losses of this one and the last."""
        mean = torch.where(self.steps > 0, self.sums / self.steps.clamp_min(1), self.last)
        rates = mean / self.last
        known = rates.isfinite()  # the others keep the weight of a task that stands still
        weights = torch.where(known, rates, 1).div(self.temperature).softmax(0) * len(self.tasks)
        self.current.copy_(torch.where(known.any(), weights, self.current))
        self.last.copy_(mean)
        self.sums.zero_()
        self.steps.zero_()
