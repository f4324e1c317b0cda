"""Task weights that bring all weighted losses to the same size, learned."""

from collections.abc import Iterable

import torch
from torch import Tensor

from losses.convention import check_number
from losses.weighting.base import Weighting
from losses.weighting.per_task_adam import PerTaskAdam


class IMTLL(Weighting):
    r"""The loss balance of impartial multi-task learning, IMTL-L: :math:`\sum_i e^{s_i} L_i - s_i` (Liu et al. 2021).

    The scales :math:`s_i` are learned by Adam. For a constant loss the weight :math:`e^{s_i}` converges to 1/L, so that
    all weighted losses become 1; the term :math:`-s_i` keeps the weights from vanishing. It is the ``laplace`` form of
    :class:`UncertaintyWeighting` with :math:`-s`, derived without a likelihood, so that every loss is treated alike.
    Losses must be above 0. Terms fall below 0 as losses fall, so watch the losses or a metric and not the total.

    The balance of gradients of the same paper, IMTL-G, is :class:`AggregatedGradients` with ``IMTLG``.

    Args:
        tasks: the names of the tasks.
        lr: learning rate of Adam on the scales, > 0.
        initial: :math:`s_i` at the start.
        limit: :math:`s_i` stay in [-limit, limit]: otherwise the weight of a loss near 0 would be unbounded.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> weighting = IMTLL(["seg", "depth"], lr=0.1)
        >>> parameter = torch.ones((), requires_grad=True)
        >>> for _ in range(200):
        ...     weighting({"seg": 0.5 * parameter, "depth": 4 * parameter}).backward()
        ...     weighting.step()
        >>> {name: round(value.item(), 2) for name, value in weighting.report().items()}
        {'weight/seg': 2.0, 'weight/depth': 0.25}
    """

    scales: Tensor

    def __init__(self, tasks: Iterable[str], *, lr: float = 0.025, initial: float = 0.0, limit: float = 10.0) -> None:
        super().__init__(tasks)
        check_number("limit", limit, above=0)
        check_number("initial", initial, at_least=-limit, at_most=limit)
        self.limit = limit
        self.adam = PerTaskAdam(len(self.tasks), lr=lr)
        self.register_buffer("scales", torch.full_like(self._nothing, initial))

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        return self.scales.exp(), -self.scales

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        slopes = self.scales.exp() * losses - 1
        present = present & slopes.isfinite()
        self.scales.copy_(self.adam(self.scales, slopes, present).clamp(-self.limit, self.limit))
