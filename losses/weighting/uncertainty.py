"""Task weights by the noise of each task, learned."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from losses.convention import Likelihood, check_choice, check_number, stored_dtype
from losses.weighting.base import Weighting, task_values
from losses.weighting.per_task_adam import PerTaskAdam


class UncertaintyWeighting(Weighting):
    r"""Weights by the noise of each task, learned as its log variance :math:`s_i` (Kendall et al. 2018).

    ============= ============================================= ==========================================
    likelihood    term of the total                             of losses such as
    ============= ============================================= ==========================================
    gaussian      :math:`\frac12 e^{-s} L + \frac12 s`          squared errors
    laplace       :math:`e^{-s} L + s`                          absolute errors (s is log b)
    categorical   :math:`e^{-s} L + \frac12 s`                  cross-entropies, focal losses
    ============= ============================================= ==========================================

    For a constant loss the weight converges to 1/(2L), 1/L and 1/(2L). Terms fall below 0 as losses fall, so
    watch the losses or a metric and not the total; with ``positive`` the second part of each is
    :math:`\log(1 + e^s)` (Liebel and Körner 2018) and no term is negative.

    Args:
        tasks: the likelihood of each task, by its name; or the names alone, of tasks that are all ``gaussian``, which
            is how most implementations treat every loss.
        lr: learning rate of Adam on the log variances, > 0.
        initial: :math:`s_i` at the start, one for all, or for each task by its name.
        limit: :math:`s_i` stay in [-limit, limit]: otherwise the weight of a loss near 0 would be unbounded.
        positive: keep all terms above 0.

    Raises:
        ValueError: an unknown likelihood, an option outside its range, or ``initial`` of other tasks than ``tasks``.

    Example:
        >>> weighting = UncertaintyWeighting({"seg": "categorical", "depth": "laplace"}, lr=0.1)
        >>> parameter = torch.ones((), requires_grad=True)
        >>> for _ in range(200):
        ...     weighting({"seg": 0.5 * parameter, "depth": 4 * parameter}).backward()
        ...     weighting.step()
        >>> {name: round(value.item(), 2) for name, value in weighting.report().items()}
        {'weight/seg': 1.0, 'weight/depth': 0.25, 'log_variance/seg': 0.0, 'log_variance/depth': 1.39}
    """

    log_variances: Tensor
    scale: Tensor
    slope: Tensor

    def __init__(
        self,
        tasks: Mapping[str, Likelihood] | Iterable[str],
        *,
        lr: float = 0.025,
        initial: float | Mapping[str, float] = 0.0,
        limit: float = 10.0,
        positive: bool = False,
    ) -> None:
        super().__init__(tasks)
        likelihoods = tasks.values() if isinstance(tasks, Mapping) else ["gaussian"] * len(self.tasks)
        for likelihood in likelihoods:
            check_choice("likelihood", likelihood, Likelihood)
        check_number("limit", limit, above=0)
        self.limit = limit
        self.positive = positive
        self.adam = PerTaskAdam(len(self.tasks), lr=lr)
        halves = {"gaussian": (0.5, 0.5), "laplace": (1.0, 1.0), "categorical": (1.0, 0.5)}
        scales, slopes = zip(*(halves[likelihood] for likelihood in likelihoods), strict=True)
        self.register_buffer("scale", torch.tensor(scales, dtype=stored_dtype()), persistent=False)
        self.register_buffer("slope", torch.tensor(slopes, dtype=stored_dtype()), persistent=False)
        starts = initial if isinstance(initial, Mapping) else dict.fromkeys(self.tasks, initial)
        self.register_buffer(
            "log_variances", task_values("initial", self.tasks, starts, at_least=-limit, at_most=limit)
        )

    def report(self) -> dict[str, Tensor]:
        """Return ``weight/TASK`` and ``log_variance/TASK``."""
        return super().report() | {f"log_variance/{t}": s for t, s in zip(self.tasks, self.log_variances, strict=True)}

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        s = self.log_variances
        return self.scale * torch.exp(-s), torch.nn.functional.softplus(s) if self.positive else self.slope * s

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        s = self.log_variances
        of_offset = torch.sigmoid(s) if self.positive else self.slope
        gradient = of_offset - self.scale * torch.exp(-s) * losses
        present = present & gradient.isfinite()
        s.copy_(self.adam(s, gradient, present).clamp(-self.limit, self.limit))
