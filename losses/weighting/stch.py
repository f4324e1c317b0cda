"""Smooth Tchebycheff scalarization: the worst of the losses counts most."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from losses.convention import check_number
from losses.weighting.base import Weighting, task_values

SMALLEST = 1e-8  # losses below it count as this where their logarithm is taken


class STCH(Weighting):
    r"""Smooth Tchebycheff scalarization, :math:`\mu \log \sum_i \exp(\lambda_i y_i / \mu)` (Lin et al. 2024).

    A smooth form of the largest of the :math:`\lambda_i y_i`. The weights are its gradient, and the total is its value.

    With ``warmup_epochs`` the tasks are made comparable as in the authors' multi-task experiments: there :math:`y_i =
    \log(L_i / n_i)`, where :math:`n_i`, for the nadir point, is the mean loss of the warm-up's last epoch. During the
    warm-up the total is :math:`\frac1T \sum_i \lambda_i \log L_i`, whose gradient is the same where all :math:`L_i =
    n_i`. (The authors' gradients are T times these.) Call :meth:`end_epoch` after each epoch. A task that is absent in
    the warm-up's last epoch gets its :math:`n_i` in its first epoch after it, and until then counts as one at
    :math:`n_i`. Losses below 1e-8 count as 1e-8.

    Without a warm-up it is the paper's formula, :math:`y_i = L_i - z_i`, for losses of one unit.

    Args:
        tasks: the names of the tasks.
        mu: :math:`\mu` > 0: a small one leaves the largest alone, a large one weighs evenly. The authors use 1 with a
            warm-up.
        warmup_epochs: the epochs before the scalarization, >= 0. The authors' 4 are 5 here: the one that is measured
            counts.
        weights: :math:`\lambda_i` >= 0, the preferences; 1 for all if left out.
        ideal: :math:`z_i` >= 0, the ideal loss of each task, without a warm-up; 0 for all if left out.

    Raises:
        ValueError: an option outside its range, or of another task, or ``ideal`` with a warm-up.

    Example:
        >>> weighting = STCH(["seg", "depth"], mu=1.0, warmup_epochs=0)
        >>> weighting({"seg": torch.tensor(1.0), "depth": torch.tensor(2.0)})  # log(e + e^2)
        tensor(2.3133)
        >>> {name: round(value.item(), 3) for name, value in weighting.report().items()}
        {'weight/seg': 0.269, 'weight/depth': 0.731}
    """

    preferences: Tensor
    ideal: Tensor
    nadir: Tensor
    epochs: Tensor
    sums: Tensor
    steps: Tensor

    def __init__(
        self,
        tasks: Iterable[str],
        *,
        mu: float = 1.0,
        warmup_epochs: int = 5,
        weights: Mapping[str, float] | None = None,
        ideal: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(tasks)
        check_number("mu", mu, above=0)
        check_number("warmup_epochs", warmup_epochs, at_least=0)
        if warmup_epochs and ideal is not None:
            raise ValueError("ideal is for warmup_epochs of 0: with a warm-up the ideal of all losses is 0")
        self.mu = mu
        self.warmup_epochs = warmup_epochs
        preferences = task_values("weights", self.tasks, weights, default=1.0, at_least=0)
        self.register_buffer("preferences", preferences, persistent=False)
        ideals = task_values("ideal", self.tasks, ideal, default=0.0, at_least=0)
        self.register_buffer("ideal", ideals, persistent=False)
        self.register_buffer("nadir", torch.full_like(self._nothing, torch.nan))
        self.register_buffer("epochs", self._nothing.new_zeros(()))
        for name in ("sums", "steps"):
            self.register_buffer(name, torch.zeros_like(self._nothing))

    @torch.no_grad()
    def end_epoch(self) -> None:
        """Count the epoch, and after the last one of the warm-up keep its mean losses."""
        self.epochs += 1
        mean = (self.sums / self.steps).clamp_min(SMALLEST)  # NaN for tasks that were absent
        measured = self.nadir.isnan() & mean.isfinite() & (self.epochs >= self.warmup_epochs)
        self.nadir.copy_(torch.where(measured, mean, self.nadir))
        self.sums.zero_()
        self.steps.zero_()

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        positive = losses.clamp_min(SMALLEST)
        progress = (positive / torch.where(self.nadir.isnan(), positive, self.nadir)).log()
        values = progress if self.warmup_epochs else losses - self.ideal
        exponents = torch.where(present, self.preferences * values / self.mu, -torch.inf)
        total, weights = self.mu * exponents.logsumexp(0), self.preferences * exponents.softmax(0)
        if self.warmup_epochs:
            warmed, count = self.epochs >= self.warmup_epochs, present.sum()
            of_warmup = torch.where(present, self.preferences * positive.log(), 0).sum() / count
            total = torch.where(warmed, total, of_warmup)
            weights = torch.where(warmed, weights, self.preferences / count) / positive
        return weights, total / present.sum() - weights * losses

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        self.sums += torch.where(present, losses, 0)
        self.steps += present
