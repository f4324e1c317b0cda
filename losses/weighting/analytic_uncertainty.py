"""Task weights by the noise of each task, computed instead of learned."""

from collections.abc import Iterable

import torch
from torch import Tensor

from losses.convention import check_number
from losses.weighting.base import Weighting

SMALLEST = 1e-8  # losses below it count as this


class AnalyticUncertainty(Weighting):
    r"""Soft optimal uncertainty weighting, UW-SO (Kirchdorfer et al. 2024): :math:`w_i = \mathrm{softmax}_i(1/(TL_i))`.

    What uncertainty weighting learns slowly is known for a constant loss L: a weight in proportion to 1/L. So nothing
    is learned here, and nothing remembered from step to step. The softmax over the tasks of the batch keeps the sum of
    the weights at 1; 1/L alone has no bound. The losses inside the weights are constants for the gradient.

    The temperature has the unit of 1 / loss: losses c L with a temperature T have the weights of losses L with c T, so
    it must be searched anew when losses are rescaled. Losses below 1e-8 count as 1e-8; their task takes the whole sum.

    Args:
        tasks: the names of the tasks.
        temperature: :math:`T` > 0, which the paper searches for each data set. A larger one weighs more evenly; a small
            one leaves the task with the smallest loss alone.

    Raises:
        ValueError: ``temperature`` is not above 0.

    Example:
        >>> weighting = AnalyticUncertainty(["seg", "depth"], temperature=2.0)
        >>> total = weighting({"seg": torch.tensor(0.5), "depth": torch.tensor(1.0)})  # softmax of 1 and 1/2
        >>> {name: round(value.item(), 3) for name, value in weighting.report().items()}
        {'weight/seg': 0.622, 'weight/depth': 0.378}
    """

    def __init__(self, tasks: Iterable[str], *, temperature: float = 1.0) -> None:
        super().__init__(tasks)
        check_number("temperature", temperature, above=0)
        self.temperature = temperature

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        precisions = 1 / (self.temperature * losses.clamp_min(SMALLEST))
        return torch.where(present, precisions, -torch.inf).softmax(0), self._nothing
