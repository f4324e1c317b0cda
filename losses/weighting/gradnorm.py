"""GradNorm: task weights that balance the gradients of the tasks in the last shared layer."""

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor

from losses.convention import check_choice, check_number
from losses.weighting.base import task_values
from losses.weighting.last_layer import LastLayerWeighting
from losses.weighting.per_task_adam import PerTaskAdam

WeightOptimizer = Literal["adam", "sgd"]


class GradNorm(LastLayerWeighting):
    r"""Gradient normalization, Algorithm 1 of Chen et al. 2018: tasks learn at similar rates.

    With :math:`W` the weight of the last shared layer, :math:`G_i = \lVert \nabla_W w_i L_i \rVert_2` and the inverse
    training rates :math:`r_i = (L_i / L_i(0)) / \mathrm{mean}_j (L_j / L_j(0))`, the weights descend on
    :math:`\sum_i |G_i - \bar G r_i^\alpha|`, the targets held fixed. Its gradient has the closed form
    :math:`\mathrm{sign}(G_i - \bar G r_i^\alpha) \lVert \nabla_W L_i \rVert_2`. Then they are scaled back to the sum T.

    One ordinary backward pass measures everything: :meth:`branch` gives each task a view of the shared features, and
    when all tasks' gradients have arrived at them, and before they go on into the encoder, each is taken through the
    last shared layer alone. The network's gradients are, to the bit, those of the weighted sum without GradNorm.

    Works with gradient accumulation (norms of the summed gradients), under autocast, with a loss scaler (norms are
    unscaled; non-finite ones change nothing) and in several processes (norms of the joined batch).

    Args:
        tasks: the names of the tasks.
        alpha: :math:`\alpha` >= 0: 0 asks for equal norms, larger ones pull harder at tasks that lag. The paper uses
            0.12 for similar tasks and 1.5 for different ones.
        lr: learning rate of the weights, > 0.
        optimizer: of the weights: ``adam`` or ``sgd``.
        initial_losses: :math:`L_i(0)` > 0 for each task, such as log C for a cross-entropy; if left out, measured
            in the first step with the task.
        smallest: lower bound > 0 of the weights before they are scaled back: the paper's may become negative.

    Raises:
        ValueError: an option outside its range, or of another task; in :meth:`step`: a task whose gradient did not
            arrive at its view.

    Example:
        >>> last = torch.nn.Linear(2, 2, bias=False)
        >>> weighting = GradNorm(["seg", "depth"], alpha=0.0)
        >>> for _ in range(200):
        ...     views = weighting.branch(last(torch.eye(2)), last.weight)
        ...     weighting({"seg": views["seg"].sum(), "depth": 9 * views["depth"].sum()}).backward()
        ...     weighting.step()
        >>> {task: round(weighting.report()[f"weight/{task}"].item(), 1) for task in weighting.tasks}
        {'seg': 1.8, 'depth': 0.2}
    """

    current: Tensor
    initial: Tensor

    def __init__(
        self,
        tasks: Iterable[str],
        *,
        alpha: float = 1.5,
        lr: float = 0.025,
        optimizer: WeightOptimizer = "adam",
        initial_losses: Mapping[str, float] | None = None,
        smallest: float = 1e-3,
    ) -> None:
        super().__init__(tasks)
        check_number("alpha", alpha, at_least=0)
        check_number("lr", lr, above=0)
        check_choice("optimizer", optimizer, WeightOptimizer)
        check_number("smallest", smallest, above=0)
        self.alpha = alpha
        self.lr = lr
        self.smallest = smallest
        self.adam = PerTaskAdam(len(self.tasks), lr=lr) if optimizer == "adam" else None
        self.register_buffer("current", torch.ones_like(self._nothing))
        initial = task_values("initial_losses", self.tasks, initial_losses, default=torch.nan, above=0)
        self.register_buffer("initial", initial)
        self._norms = self._targets = self._rates = torch.full_like(self.current, torch.nan)

    def report(self) -> dict[str, Tensor]:
        """Return ``weight/TASK``, and ``gradient_norm/``, ``target_norm/`` and ``training_rate/`` of the last step."""
        measured = {"gradient_norm": self._norms, "target_norm": self._targets, "training_rate": self._rates}
        return super().report() | {
            f"{name}/{task}": value
            for name, values in measured.items()
            for task, value in zip(self.tasks, values, strict=True)
        }

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        return self.current, self._nothing

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        super()._learn(losses, present)
        # G_i = ||grad_W w_i L_i||, of the mean loss of all batches and processes: norms come last.
        norms = torch.linalg.vector_norm(self._mean_gradients().flatten(1), dim=1)
        finite = (torch.where(present, norms, 0).isfinite() & torch.where(present, losses, 0).isfinite()).all()
        initial = torch.where(present & finite & self.initial.isnan(), losses, self.initial)
        progress = losses / initial
        rates = progress / _mean(progress, present)
        targets = _mean(norms, present) * rates**self.alpha
        slopes = torch.sign(norms - targets) * norms / self.current  # of sum_i |G_i - target_i|, as G_i = w_i ||...||
        learning = present & finite & slopes.isfinite()
        if self.adam is None:
            weights = torch.where(learning, self.current - self.lr * slopes, self.current)
        else:
            weights = self.adam(self.current, slopes, learning)
        weights = torch.where(learning, weights.clamp_min(self.smallest), weights)
        # The sum stays T; absent tasks keep their share of it.
        whole = len(self.tasks) - torch.where(learning, 0, weights).sum()
        scaled = weights * whole / torch.where(learning, weights, 0).sum()
        self.current.copy_(torch.where(learning, scaled, weights))
        self.initial.copy_(initial)
        self._norms, self._targets, self._rates = norms, targets, rates


def _mean(values: Tensor, present: Tensor) -> Tensor:
    return torch.where(present, values, 0).sum() / present.sum()
