"""GradNorm: task weights that balance the gradients of the tasks in the last shared layer."""

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor

from losses.convention import check_choice, check_number
from losses.weighting.base import Features, levels_of, sum_over_processes, task_values
from losses.weighting.per_task_adam import PerTaskAdam
from losses.weighting.tap import Gradients, TappedWeighting

WeightOptimizer = Literal["adam", "sgd"]


class GradNorm(TappedWeighting):
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
    _gradients: Tensor | None  # of w_i L_i, T x the shape of W, summed since the last step
    _shape: torch.Size | None = None  # of W

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

    def branch(self, features: Features, weight: Tensor) -> dict[str, Features]:
        """Return for each task its view of the shared features, at which its gradient is measured.

        Args:
            features: the output of the last shared layer, or a tuple or list of several that all depend on it; every
                task's head must start from its own view of it, and its first operation must not be in place.
            weight: the weight of that layer, :math:`W`.

        Returns:
            For each task a view of ``features``; in evaluation and without gradients ``features`` themselves.

        Raises:
            TypeError: ``features`` are neither a tensor nor a tuple or list of tensors.
            ValueError: the layer is frozen, or ``features`` require no gradient; in the backward pass: they do not
                depend on ``weight``.
        """
        if self.training and torch.is_grad_enabled():
            if not weight.requires_grad:
                raise ValueError("weight must require gradients: GradNorm cannot measure at a frozen last shared layer")
            if not any(level.requires_grad for level in levels_of(features)):
                raise ValueError("features must come out of the last shared layer; they require no gradient")
            self._shape = weight.shape
        return super().branch(features, weight)

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

    def _tap(
        self,
        levels: tuple[Tensor, ...],
        weight: Tensor,
        gradients: dict[str, list[Tensor | None]],
        totals: Gradients,
    ) -> Gradients:
        if self._gradients is None:
            self._gradients = weight.new_zeros(len(self.tasks), *weight.shape, dtype=self.current.dtype)
        for task, of_levels in gradients.items():
            self._gradients[self.tasks.index(task)] += _gradient_of(weight, levels, of_levels) / self._scale
        return totals

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        super()._learn(losses, present)
        if self._gradients is None:  # no task here, but maybe in another process
            if self._shape is None or self._backwards:
                raise ValueError(
                    "GradNorm measured no gradient: step() needs a branch and a backward pass in training mode"
                )
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
        # The sum stays T; absent tasks keep their share of it.
        whole = len(self.tasks) - torch.where(learning, 0, weights).sum()
        scaled = weights * whole / torch.where(learning, weights, 0).sum()
        self.current.copy_(torch.where(learning, scaled, weights))
        self.initial.copy_(initial)
        self._norms, self._targets, self._rates = norms, targets, rates

    def _forget(self) -> None:
        super()._forget()
        self._gradients = None


def _gradient_of(weight: Tensor, levels: tuple[Tensor, ...], gradients: Gradients) -> Tensor:
    """Back-propagate a task's gradients in the shared features through the last shared layer."""
    reached = [(level, gradient) for level, gradient in zip(levels, gradients, strict=True) if gradient is not None]
    outputs, of_outputs = zip(*reached, strict=True)
    try:
        (gradient,) = torch.autograd.grad(outputs, weight, of_outputs, retain_graph=True, allow_unused=True)
    except RuntimeError as error:  # reentrant checkpointing between the two, which says so itself
        raise RuntimeError(f"GradNorm cannot measure between weight and features: {error}") from error
    if gradient is None:
        raise ValueError(
            "weight must be that of a layer that the features depend on, and not inside a checkpoint with "
            f"use_reentrant=True; the weight of shape {tuple(weight.shape)} is not in their graph"
        )
    return gradient


def _mean(values: Tensor, present: Tensor) -> Tensor:
    return torch.where(present, values, 0).sum() / present.sum()
