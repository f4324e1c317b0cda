"""Gradients of the tasks in the weight of the last layer that they share."""

import functools

import torch
from torch import Tensor

from losses.weighting.base import Features, levels_of, sum_over_processes
from losses.weighting.tap import Gradients, TappedWeighting


class LastLayerWeighting(TappedWeighting):
    r"""Base of the weightings that measure the gradient of each :math:`w_i L_i` in the last shared layer's weight.

    Each task's gradient in the shared features is taken through that one layer, inside the ordinary backward pass.
    """

    _gradients: Tensor | None  # T x the shape of W, summed since the last step
    _shape: torch.Size | None = None  # of W

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
                name = type(self).__name__
                raise ValueError(f"weight must require gradients: {name} cannot measure at a frozen last shared layer")
            if not any(level.requires_grad for level in levels_of(features)):
                raise ValueError("features must come out of the last shared layer; they require no gradient")
            self._shape = weight.shape
        return super().branch(features, weight)

    def _tap(
        self,
        levels: tuple[Tensor, ...],
        weight: Tensor,
        gradients: dict[str, list[Tensor | None]],
        totals: Gradients,
    ) -> Gradients:
        self._measure(levels, weight, gradients)
        return totals

    def _measure(
        self, levels: tuple[Tensor, ...], weight: Tensor, gradients: dict[str, list[Tensor | None]]
    ) -> dict[str, Tensor]:
        """The gradients of the tasks in W in this backward pass, without loss scales; they are summed up, too."""
        if self._gradients is None:
            self._gradients = weight.new_zeros(len(self.tasks), *weight.shape, dtype=self._nothing.dtype)
        found = {task: self._through(weight, levels, of_levels) / self._scale for task, of_levels in gradients.items()}
        for task, gradient in found.items():
            self._gradients[self.tasks.index(task)] += gradient
        return found

    def _through(self, weight: Tensor, levels: tuple[Tensor, ...], gradients: Gradients) -> Tensor:
        """Back-propagate a task's gradients in the shared features through the last shared layer."""
        reached = [(level, gradient) for level, gradient in zip(levels, gradients, strict=True) if gradient is not None]
        outputs, of_outputs = zip(*reached, strict=True)
        try:
            (gradient,) = torch.autograd.grad(outputs, weight, of_outputs, retain_graph=True, allow_unused=True)
        except RuntimeError as error:  # reentrant checkpointing between the two, which says so itself
            name = type(self).__name__
            raise RuntimeError(f"{name} cannot measure between weight and features: {error}") from error
        if gradient is None:
            raise ValueError(
                "weight must be that of a layer that the features depend on, and not inside a checkpoint with "
                f"use_reentrant=True; the weight of shape {tuple(weight.shape)} is not in their graph"
            )
        return gradient

    def _mean_gradients(self) -> Tensor:
        """The gradients since the last step, means of all backward passes in all processes: T x the shape of W."""
        if self._gradients is None:  # no task here, but maybe in another process
            if self._shape is None or self._backwards:
                raise ValueError(
                    f"{type(self).__name__} measured no gradient: step() needs a branch and a backward pass in "
                    "training mode"
                )
            self._gradients = self._nothing.new_zeros(len(self.tasks), *self._shape)
        gradients = sum_over_processes(self._gradients)
        backwards = sum_over_processes(self._nothing.new_full((), self._backwards))
        return gradients / backwards.clamp_min(1)

    def _forget(self) -> None:
        super()._forget()
        self._gradients = None


def scaled_sums(gradients: dict[str, list[Tensor | None]], scales: Tensor, totals: Gradients) -> Gradients:
    """Return in place of the sums of the tasks' gradients those of each times its scale, for each level."""
    return [
        None if total is None else _scaled_sum(list(gradients.values()), scales, level).to(total)
        for level, total in enumerate(totals)
    ]


def _scaled_sum(gradients: list[list[Tensor | None]], scales: Tensor, level: int) -> Tensor:
    """The sum of the tasks' gradients in a level of the features, each times its scale."""
    of_level = [(scale, of_levels[level]) for scale, of_levels in zip(scales, gradients, strict=True)]
    terms = [scale * gradient for scale, gradient in of_level if gradient is not None]
    return functools.reduce(torch.add, terms)
