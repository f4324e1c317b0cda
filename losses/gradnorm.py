"""GradNorm: task weights that make the tasks' gradients on the last shared layer alike, at the price of one layer."""

import functools
from collections.abc import Iterable, Mapping
from typing import Literal

import torch
import torch.distributed
from torch import Tensor, nn

from losses.convention import at_least_float32, check_choice, check_number
from losses.per_task_adam import PerTaskAdam
from losses.weighting import Weighting, sum_over_processes, task_values

WeightOptimizer = Literal["adam", "sgd"]


class GradNorm(Weighting):
    r"""Gradient normalisation, Algorithm 1 of Chen et al. 2018: each task learns at its rate.

    With :math:`W` the weight of the last shared layer, :math:`G_i = \lVert \nabla_W w_i L_i \rVert_2` and the inverse
    training rates :math:`r_i = (L_i / L_i(0)) / \mathrm{mean}_j (L_j / L_j(0))`, the weights descend on
    :math:`\sum_i |G_i - \bar G r_i^\alpha|`, the targets held fixed. Its gradient has the closed form
    :math:`\mathrm{sign}(G_i - \bar G r_i^\alpha) \lVert \nabla_W L_i \rVert_2`. Then they are scaled back to the sum T.

    One ordinary backward pass measures everything: :meth:`branch` gives each task a view of the shared features, and
    when all tasks' gradients have arrived at them, and before they go on into the encoder, each is taken over the last
    shared layer alone. The network's gradients are, to the bit, those of the weighted sum without GradNorm.

    Works with gradient accumulation (norms of the summed gradients), under autocast, with a loss scaler (norms are
    unscaled; non-finite ones change nothing) and in several processes (norms of the joined batch).

    Args:
        tasks: the names of the tasks.
        alpha: :math:`\alpha` >= 0: 0 asks for equal norms, larger ones pull harder at tasks that lag. The paper takes
            0.12 for tasks that are alike and 1.5 for ones that are not.
        lr: learning rate of the weights, > 0.
        optimizer: of the weights: ``adam`` or ``sgd``.
        initial_losses: :math:`L_i(0)` > 0 for each task, such as log C for a cross-entropy; measured in the first step
            that has the task if left out.
        smallest: weights stay above this, > 0, before they are scaled back: the paper's may become negative.

    Raises:
        ValueError: an option outside its range, or of another task; :meth:`step` without :meth:`branch`.
    """

    current: Tensor
    initial: Tensor
    _gradients: Tensor | None  # of w_i L_i, T x the shape of W, summed since the last step
    _shape: torch.Size | None = None  # of W
    _backwards: int
    _scale: Tensor

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
        self._forget()

    def branch(self, features: Tensor, weight: nn.Parameter) -> dict[str, Tensor]:
        """Give each task its view of the shared features, at which its gradient is measured.

        Args:
            features: the output of the last shared layer; every task's head must start from its own view of it, and its
                first operation must not be in place.
            weight: the weight of that layer, :math:`W`.

        Returns:
            For each task a view of ``features``; in evaluation and without gradients ``features`` itself.

        Raises:
            ValueError: the layer is frozen, or ``features`` do not depend on it.
        """
        if not (self.training and torch.is_grad_enabled()):
            return super().branch(features, weight)
        if not weight.requires_grad:
            raise ValueError("weight must require gradients: GradNorm cannot measure at a frozen last shared layer")
        if not features.requires_grad:
            raise ValueError("features must come out of the last shared layer; they require no gradient")
        self._shape = weight.shape
        shared = features.view_as(features)
        arrived: dict[str, Tensor] = {}
        views = {task: shared.view_as(shared) for task in self.tasks}
        for task, view in views.items():
            view.register_hook(functools.partial(arrived.__setitem__, task))
        # On the view of the features: on themselves it would be called again by its own call of autograd.
        shared.register_hook(lambda _: self._measure(features, weight, arrived))
        return views

    def report(self) -> dict[str, Tensor]:
        """Give ``weight/TASK``, and ``gradient_norm/``, ``target_norm/`` and ``training_rate/`` of the last step."""
        measured = {"gradient_norm": self._norms, "target_norm": self._targets, "training_rate": self._rates}
        return super().report() | {
            f"{name}/{task}": value
            for name, values in measured.items()
            for task, value in zip(self.tasks, values, strict=True)
        }

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        return self.current, self._nothing

    def _back_propagated(self, losses: Tensor, present: Tensor, scale: Tensor) -> None:
        super()._back_propagated(losses, present, scale)
        self._scale = at_least_float32(scale)
        self._backwards += 1

    def _measure(self, features: Tensor, weight: nn.Parameter, arrived: dict[str, Tensor]) -> None:
        """Take the tasks' gradients, which have arrived at the features, on over the last shared layer."""
        if self._gradients is None:
            self._gradients = weight.new_zeros(len(self.tasks), *weight.shape, dtype=self.current.dtype)
        for task, gradient in arrived.items():
            (of_weight,) = torch.autograd.grad(features, weight, gradient, retain_graph=True)
            self._gradients[self.tasks.index(task)] += of_weight / self._scale
        arrived.clear()

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        if self._gradients is None:  # no task here, but maybe in another process
            if self._shape is None or self._passes.any():
                raise ValueError("GradNorm measured no gradient; every task must start from its view, made by branch")
            self._gradients = self.current.new_zeros(len(self.tasks), *self._shape)
        gradients = sum_over_processes(self._gradients)
        backwards = sum_over_processes(self.current.new_tensor(self._backwards))
        # G_i = ||grad_W w_i L_i||, of the mean loss of all batches and processes: norms come last.
        norms = torch.linalg.vector_norm(gradients.flatten(1), dim=1) / backwards.clamp_min(1)
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
        # The sum stays T; what absent tasks have of it is theirs.
        whole = len(self.tasks) - torch.where(learning, 0, weights).sum()
        scaled = weights * whole / torch.where(learning, weights, 0).sum()
        self.current.copy_(torch.where(learning, scaled, weights))
        self.initial.copy_(initial)
        self._norms, self._targets, self._rates = norms, targets, rates

    def _forget(self) -> None:
        super()._forget()
        self._gradients = None
        self._backwards = 0


def _mean(values: Tensor, present: Tensor) -> Tensor:
    return torch.where(present, values, 0).sum() / present.sum()
