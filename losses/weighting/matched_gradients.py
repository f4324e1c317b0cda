"""Gradients of one length, that of a task which keeps its own: the adaptive weight of VQGAN."""

from collections.abc import Iterable

import torch
from torch import Tensor

from losses.convention import check_number
from losses.weighting.last_layer import LastLayerWeighting, scaled_sums
from losses.weighting.tap import Gradients

SMALLEST = 1e-4  # VQGAN's: added to a length that is divided by


class MatchedGradients(LastLayerWeighting):
    r"""Makes all tasks' gradients as long as that of one of them: the adaptive weight of VQGAN (Esser et al. 2021).

    The total is the sum of the losses. On the way into the trunk the gradient of each task but the reference is
    multiplied by

    .. math:: \lambda_i = \min\left(f \, \frac{\lVert \nabla_W L_{ref} \rVert}{\lVert \nabla_W L_i \rVert + 10^{-4}},
              \text{limit}\right)

    with :math:`W` the weight of the last shared layer. Heads get the gradients of their own losses. In VQGAN the
    reference is the reconstruction, and the task that is matched the GAN loss. Nothing is learned or remembered: each
    backward pass has the weights of its own batch. :class:`GradNorm` with ``alpha`` 0 goes to the same lengths slowly,
    and keeps the sum of the weights.

    A length that is not finite leaves its task's gradient as it is.

    Args:
        tasks: the names of the tasks.
        reference: the task whose gradient stays as it is.
        factor: f >= 0, how long the others are beside it.
        limit: of the weights, > 0.

    Raises:
        ValueError: no such task, or an option outside its range; in :meth:`step`: a task whose gradient did not arrive
            at its view.

    Example:
        >>> last = torch.nn.Linear(2, 2, bias=False)
        >>> weighting = MatchedGradients(["gan", "l1"], reference="l1")
        >>> views = weighting.branch(last(torch.eye(2)), last.weight)
        >>> weighting({"gan": 0.01 * views["gan"][0].sum(), "l1": 9 * views["l1"][1].sum()}).backward()
        >>> of_gan, of_l1 = last.weight.grad.norm(dim=0)
        >>> torch.isclose(of_gan, of_l1, rtol=0.01)
        tensor(True)
    """

    def __init__(self, tasks: Iterable[str], *, reference: str, factor: float = 1.0, limit: float = 1e4) -> None:
        super().__init__(tasks)
        if reference not in self.tasks:
            raise ValueError(f"reference must be of the tasks {', '.join(self.tasks)}; got {reference}")
        check_number("factor", factor, at_least=0)
        check_number("limit", limit, above=0)
        self.reference = reference
        self.factor = factor
        self.limit = limit
        self._scales: dict[str, Tensor] = {}

    def report(self) -> dict[str, Tensor]:
        r"""Return ``weight/TASK``, :math:`\lambda_i` of the last backward pass; NaN before the first."""
        unknown = self._nothing.new_full((), torch.nan)
        return {name: self._scales.get(name.removeprefix("weight/"), unknown) for name in super().report()}

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(losses), self._nothing

    @torch.no_grad()
    def _tap(
        self,
        levels: tuple[Tensor, ...],
        weight: Tensor,
        gradients: dict[str, list[Tensor | None]],
        totals: Gradients,
    ) -> Gradients:
        found = self._measure(levels, weight, gradients)
        if self.reference not in found:  # absent: nothing to match
            self._scales = {task: torch.ones_like(gradient.sum()) for task, gradient in found.items()}
            return totals
        norms = torch.stack([torch.linalg.vector_norm(gradient) for gradient in found.values()])
        place = list(found).index(self.reference)
        scales = (self.factor * norms[place] / (norms + SMALLEST)).clamp_max(self.limit)
        scales = torch.where(scales.isfinite(), scales, 1)
        scales[place] = 1
        self._scales = dict(zip(found, scales, strict=True))
        return scaled_sums(gradients, scales, totals)
