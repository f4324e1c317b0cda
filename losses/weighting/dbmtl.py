"""Dual balancing: logarithms of the losses, and gradients of one length."""

from collections.abc import Iterable

import torch
from torch import Tensor

from losses.convention import check_number
from losses.weighting.last_layer import LastLayerWeighting, scaled_sums
from losses.weighting.tap import Gradients

SMALLEST = 1e-8  # losses below it count as this


class DBMTL(LastLayerWeighting):
    r"""Dual-balancing multi-task learning, DB-MTL (Lin et al. 2023): balances the losses and their gradients.

    The total is :math:`\sum_i \log L_i`, so that the weights are :math:`1 / L_i` and the scale of a loss does not
    count. Heads get its gradient. On the way into the trunk the gradient of each task is multiplied by
    :math:`\alpha_i = \max_j \lVert \hat g_j \rVert / \lVert \hat g_i \rVert`, so that all are as long as the longest.

    :math:`\hat g_i` is the moving average :math:`\hat g_i \leftarrow \beta \hat g_i + (1 - \beta) \nabla_W \log L_i`,
    corrected for its start, with :math:`W` the weight of the last shared layer. The paper averages the gradients of all
    shared parameters, one backward pass for each task, and follows the averages. Here there is one ordinary backward
    pass: the averages set the lengths alone, and the trunk follows the gradients of the batch. With ``beta`` 0 and no
    shared parameters but W both are the same.

    Losses below 1e-8 count as 1e-8. Gradients that are not finite, and those of length 0, go on as they are. Several
    backward passes before an optimizer's step are each scaled by itself, and so are the batches of several processes;
    the averages are those of all of them. They are in the ``state_dict``, T times the size of W.

    Args:
        tasks: the names of the tasks.
        beta: :math:`\beta` in [0, 1), how slowly the averages forget; 0 takes the gradients of the batch alone.

    Raises:
        ValueError: ``beta`` outside its range; in :meth:`step`: a task whose gradient did not arrive at its view.

    Example:
        >>> last = torch.nn.Linear(2, 2, bias=False)
        >>> weighting = DBMTL(["seg", "depth"], beta=0.0)
        >>> features = last(torch.eye(2))
        >>> views = weighting.branch(features, last.weight)
        >>> losses = {"seg": views["seg"][0, 0] ** 2, "depth": 9 * (views["depth"][1, 1] - 2) ** 2}
        >>> weighting(losses).backward()
        >>> row, other = last.weight.grad.abs()  # of seg, and of depth
        >>> torch.isclose(row[0], other[1])
        tensor(True)
    """

    steps: Tensor

    def __init__(self, tasks: Iterable[str], *, beta: float = 0.9) -> None:
        super().__init__(tasks)
        check_number("beta", beta, at_least=0)
        if beta >= 1:
            raise ValueError(f"beta must be below 1; got {beta}")
        self.beta = beta
        self.register_buffer("steps", torch.zeros_like(self._nothing))
        self._average = self._nothing.new_empty(0)  # T x the shape of W; no buffer, as the shape is not known yet
        self._scales: dict[str, Tensor] = {}

    def report(self) -> dict[str, Tensor]:
        r"""Return ``weight/TASK``, and ``gradient_scale/TASK``, the :math:`\alpha_i` of the last backward pass."""
        unknown = self._nothing.new_full((), torch.nan)
        return super().report() | {f"gradient_scale/{task}": self._scales.get(task, unknown) for task in self.tasks}

    def get_extra_state(self) -> Tensor:
        """Return the averages; nothing before the first step."""
        return self._average

    def set_extra_state(self, state: Tensor) -> None:
        """Restore what :meth:`get_extra_state` returned."""
        self._average = state.clone()

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        positive = losses.clamp_min(SMALLEST)
        return 1 / positive, positive.log() - losses / positive

    @torch.no_grad()
    def _tap(
        self,
        levels: tuple[Tensor, ...],
        weight: Tensor,
        gradients: dict[str, list[Tensor | None]],
        totals: Gradients,
    ) -> Gradients:
        found = self._measure(levels, weight, gradients)
        norms = torch.stack([self._norm(self.tasks.index(task), gradient) for task, gradient in found.items()])
        scales = norms.max() / norms
        scales = torch.where(scales.isfinite(), scales, 1)
        self._scales = dict(zip(found, scales, strict=True))
        return scaled_sums(gradients, scales, totals)

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        super()._learn(losses, present)
        gradients = self._mean_gradients()
        learning = present & gradients.flatten(1).isfinite().all(1)
        of_weight = learning.view(-1, *[1] * (gradients.dim() - 1))
        before = self._before(gradients)
        self._average = torch.where(of_weight, self.beta * before + (1 - self.beta) * gradients, before)
        self.steps += learning

    def _norm(self, place: int, gradient: Tensor) -> Tensor:
        """The length of a task's average after one more step with this gradient in W."""
        before = self._before(gradient.expand(len(self.tasks), *gradient.shape))[place]
        average = self.beta * before + (1 - self.beta) * gradient
        return torch.linalg.vector_norm(average) / (1 - self.beta ** (self.steps[place] + 1))

    def _before(self, gradients: Tensor) -> Tensor:
        """The averages until now, in the shape, dtype and device of gradients."""
        return self._average.to(gradients) if self._average.numel() else torch.zeros_like(gradients)
