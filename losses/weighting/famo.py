"""Task weights from what each step of the network did to the losses."""

import warnings
from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from losses.convention import check_number
from losses.weighting.base import Weighting, sum_over_processes, task_values
from losses.weighting.per_task_adam import PerTaskAdam

SMALLEST = 1e-8  # distances to the smallest loss below it count as this


class FAMO(Weighting):
    r"""Fast adaptive multitask optimization: all losses fall at about the same relative rate (Liu et al. 2023).

    With :math:`D_i = L_i - b_i` and :math:`z = \mathrm{softmax}(\xi)` the total is :math:`c \sum_i z_i \log D_i`.
    :math:`c = 1 / \sum_i (z_i / D_i)` is a constant for the gradient, so the weights are :math:`c z_i / D_i`, whose sum
    is 1.

    The logits :math:`\xi` learn from what the network's step did to the losses of its own batch, :math:`\delta_i =
    \log D_i^\mathrm{before} - \log D_i^\mathrm{after}`. Their gradient, for an Adam of their own as in the authors'
    code, is :math:`z_i (\delta_i - \sum_j z_j \delta_j) + \gamma \xi_i`: a task whose loss fell less than the others
    gets a larger weight. No gradients of tasks are needed, but the losses of the same batch after the step::

        optimizer.step()
        with torch.no_grad():
            weighting.observe(losses_of_the_same_batch)

    The second forward pass should be like the first, in training mode, and leave neither gradients nor statistics of
    batch normalization behind. With accumulated batches and in several processes the logits learn from the mean losses
    of all batches; the weights are those of each batch's own losses. A distance below 1e-8 counts as 1e-8.

    Args:
        tasks: the names of the tasks.
        lr: learning rate of the logits, > 0; the paper's is 0.025.
        gamma: :math:`\gamma` >= 0, which pulls the logits to 0; the paper's is 0.001.
        min_losses: :math:`b_i` >= 0, the smallest that the loss of each task can become; 0 for all if left out.

    Raises:
        ValueError: an option outside its range, or of another task.

    Example:
        >>> weighting = FAMO(["seg", "depth"], lr=0.1, gamma=0.0)
        >>> parameter = torch.ones((), requires_grad=True)
        >>> for _ in range(3):
        ...     weighting({"seg": 2.0 * parameter, "depth": 2.0 * parameter}).backward()
        ...     weighting.step()
        ...     weighting.observe({"seg": torch.tensor(1.0), "depth": torch.tensor(2.0)})  # seg fell, depth did not
        >>> [round(logit, 2) for logit in weighting.logits.tolist()]
        [-0.3, 0.3]
    """

    observes: ClassVar[bool] = True

    logits: Tensor
    min_losses: Tensor
    _before: tuple[Tensor, Tensor] | None = None  # mean losses of the last step, and which tasks it had
    _warned = False

    def __init__(
        self,
        tasks: Iterable[str],
        *,
        lr: float = 0.025,
        gamma: float = 1e-3,
        min_losses: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(tasks)
        check_number("gamma", gamma, at_least=0)
        self.gamma = gamma
        self.adam = PerTaskAdam(len(self.tasks), lr=lr)
        self.register_buffer("logits", torch.zeros_like(self._nothing))
        smallest = task_values("min_losses", self.tasks, min_losses, default=0.0, at_least=0)
        self.register_buffer("min_losses", smallest, persistent=False)

    def skip(self) -> None:
        """Forget the backward passes since the last step, where the optimizer skips its step (in all processes)."""
        super().skip()
        self._before = None

    @torch.no_grad()
    def observe(self, *losses: Mapping[str, Tensor | None]) -> None:
        """Learn from what the optimizer's step did to the losses.

        Args:
            losses: the losses of the same batches, computed again as in training but without gradients: a mapping as in
                the forward pass for each backward pass since the step before.

        Raises:
            TypeError: a loss is not a tensor.
            ValueError: an unknown task, a loss that is not a scalar, or no :meth:`step` before.
        """
        sums, counts = torch.zeros_like(self._nothing), torch.zeros_like(self._nothing)
        for each in losses:
            values, is_there = self._in_order(self._check(each))
            sums, counts = sums + values, counts + is_there
        sums, counts = sum_over_processes(sums), sum_over_processes(counts)
        if self._before is None:
            raise ValueError("observe() comes after step() and the optimizer's step, once for each")
        (before, present), self._before = self._before, None
        fallen = self._distance(before).log() - self._distance(sums / counts.clamp_min(1)).log()
        present = present & (counts > 0) & fallen.isfinite()
        fallen, z = torch.where(present, fallen, 0), self._softmax(present)
        slopes = z * (fallen - (z * fallen).sum()) + self.gamma * self.logits
        self.logits.copy_(self.adam(self.logits, slopes, present))

    def report(self) -> dict[str, Tensor]:
        """Return ``weight/TASK`` and ``logit/TASK``."""
        return super().report() | {f"logit/{task}": xi for task, xi in zip(self.tasks, self.logits, strict=True)}

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        z, distances = self._softmax(present), self._distance(losses)
        weights = z / distances
        c = 1 / torch.where(present, weights, 0).sum()
        return c * weights, c * z * distances.log() - c * weights * losses

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        if self._before is not None and not self._warned:
            warnings.warn(
                "FAMO: step() without observe() after the last one, so nothing is learned; call it after each step of "
                "the optimizer with the losses of the same batch",
                stacklevel=3,
            )
            self._warned = True
        self._before = losses, present

    def _softmax(self, present: Tensor) -> Tensor:
        """The softmax of the logits of the tasks that are present; 0 for the others."""
        return torch.where(present, torch.where(present, self.logits, -torch.inf).softmax(0), 0)

    def _distance(self, losses: Tensor) -> Tensor:
        return (losses - self.min_losses).clamp_min(SMALLEST)
