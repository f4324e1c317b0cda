"""The tap at the shared features, where the gradients of the tasks are collected before they become one."""

import functools
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from losses.convention import at_least_float32
from losses.weighting.base import Features, Weighting, levels_of

Gradients = Sequence[Tensor | None]  # one for each level of the features, None where none arrived


class TappedWeighting(Weighting):
    """Base of the weightings that look at the gradients of the tasks in the shared features.

    :meth:`branch` returns views for each task. One ordinary backward pass leaves the gradient of each task in its
    views; when all have arrived, and before they go on into the trunk, :meth:`_tap` sees them.
    """

    _at_rest = False  # whether the last branch was without views
    _awaited: Counter[str]  # gradients of tasks that were back-propagated and have not arrived
    _scale: Tensor  # the gradient of the total: a scaler's factor, or 1 / accumulated batches

    def branch(self, features: Features, weight: Tensor) -> dict[str, Features]:
        """Return for each task its views of the shared features, at which its gradient is collected.

        Args:
            features: the output of the last shared layer, or a tuple or list of several; every task's head must start
                from its own view of it, and its first operation must not be in place.
            weight: the weight of that layer.

        Returns:
            For each task a view of ``features``; in evaluation, or if they need no gradient, ``features`` themselves.

        Raises:
            TypeError: ``features`` are neither a tensor nor a tuple or list of tensors.
        """
        levels = levels_of(features)
        self._at_rest = not (self.training and torch.is_grad_enabled() and any(level.requires_grad for level in levels))
        if self._at_rest:
            return super().branch(features, weight)
        arrived: dict[str, list[Tensor | None]] = {}

        def receive(totals: Gradients) -> Gradients:
            self._awaited.subtract(arrived.keys())
            gradients = {task: arrived[task] for task in self.tasks if task in arrived}
            arrived.clear()
            return self._tap(levels, weight, gradients, totals)

        def arrive(task: str, level: int, gradient: Tensor) -> None:
            arrived.setdefault(task, [None] * len(levels))[level] = gradient

        shared = _Join.apply(receive, *levels)
        views: dict[str, Any] = {}
        for task in self.tasks:
            # A node of their own, so that autograd adds the tasks up in the order in which it would without the tap.
            own = [level.view_as(level) for level in shared]
            for number, view in enumerate(own):
                view.register_hook(functools.partial(arrive, task, number))
            views[task] = own[0] if isinstance(features, Tensor) else own if isinstance(features, list) else tuple(own)
        return views

    @abstractmethod
    def _tap(
        self,
        levels: tuple[Tensor, ...],
        weight: Tensor,
        gradients: dict[str, list[Tensor | None]],
        totals: Gradients,
    ) -> Gradients:
        """Take the gradients of the tasks in the levels, and return what goes on into the trunk in place of ``totals``.

        Args:
            levels: the shared features.
            weight: of the last shared layer.
            gradients: for each task that arrived, one for each level.
            totals: their sums.
        """

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        missing = [task for task in self.tasks if self._awaited[task] > 0]
        if missing:
            raise ValueError(
                f"{type(self).__name__} measured no gradient of {', '.join(missing)}; every task must start from its "
                "view, made by branch"
            )

    def _back_propagated(self, tasks: tuple[str, ...], losses: Tensor, present: Tensor, scale: Tensor) -> None:
        super()._back_propagated(tasks, losses, present, scale)
        if not self._at_rest:
            self._awaited.update(tasks)
        self._scale = at_least_float32(scale)

    def _forget(self) -> None:
        super()._forget()
        self._awaited = Counter()


class _Join(torch.autograd.Function):
    """The identity of several tensors, whose gradients arrive together and may be replaced."""

    @staticmethod
    def forward(ctx: Any, receive: Callable[[Gradients], Gradients], *levels: Tensor) -> tuple[Tensor, ...]:
        ctx.receive = receive
        ctx.set_materialize_grads(False)
        return tuple(level.view_as(level) for level in levels)

    @staticmethod
    def backward(ctx: Any, *totals: Tensor | None) -> tuple[Tensor | None, ...]:
        return None, *ctx.receive(totals)
