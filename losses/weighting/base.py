"""What all weightings have in common."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Self, TypeVar

import torch
import torch.distributed
from torch import Tensor, nn

from losses.convention import at_least_float32, check_number, stored_dtype, without_rounding

Features = TypeVar("Features", bound=Tensor | Sequence[Tensor])
MANY_PASSES = 1000  # more than are ever accumulated before a step


class Weighting(nn.Module, ABC):
    r"""Base of the weightings: computes :math:`\sum_i w_i L_i` from the losses of named tasks, with weights of its own.

    A training step, in any loop::

        features = encoder(images)                              # what all tasks share
        views = weighting.branch(features, encoder.last.weight)  # a view of it for each task
        total = weighting({task: loss(task, views[task]) for task in tasks})
        total.backward()
        weighting.step()                                        # learns from that backward pass
        optimizer.step()
        if weighting.observes:                                  # learns from what that step did
            weighting.observe(losses_again)

    What a weighting learns or remembers is in its ``state_dict``. It learns by itself, in at least float32, from
    gradients in closed form: no optimizer of the network holds it, so that neither weight decay nor gradient clipping
    reaches it. Several backward passes before a :meth:`step` count as one, of their mean. With ``torch.distributed``
    all processes call :meth:`step` together, and their weights stay the same to the bit.

    Args:
        tasks: the names of the tasks.

    Raises:
        TypeError: one string in place of several names.
        ValueError: no task, or two of one name.
    """

    observes: ClassVar[bool] = False  # whether observe() is to be called after each step of the optimizer

    _nothing: Tensor
    _losses: Tensor
    _passes: Tensor
    _backwards: int  # since the last step

    def __init__(self, tasks: Iterable[str]) -> None:
        super().__init__()
        if isinstance(tasks, str):
            raise TypeError(f"tasks must be several names, as in [{tasks!r}]; got the string {tasks!r}")
        self.tasks = tuple(tasks)
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks must be one or more different names; got {', '.join(self.tasks) or 'none'}")
        self.register_buffer("_nothing", torch.zeros(len(self.tasks), dtype=stored_dtype()), persistent=False)
        self._weights_in_force: dict[str, Tensor] = {}
        self._forget()

    def branch(self, features: Features, weight: Tensor) -> dict[str, Features]:
        """Return for each task its view of the shared features, at which some weightings measure gradients.

        Args:
            features: the output of the last shared layer, of any shape; or a tuple or list of several, such as the
                levels of a pyramid.
            weight: the weight of that layer.

        Returns:
            For each task a value equal to ``features``.

        Raises:
            TypeError: ``features`` are neither a tensor nor a tuple or list of tensors.
        """
        levels_of(features)
        return dict.fromkeys(self.tasks, features)

    def forward(self, losses: Mapping[str, Tensor | None]) -> Tensor:
        """Compute the total to back-propagate.

        Args:
            losses: a scalar for each task. A task that is missing, or None, has no labels in this batch: its state
                does not change.

        Returns:
            A scalar in at least float32. Without any task 0, without a graph.

        Raises:
            TypeError: a loss is not a tensor.
            ValueError: an unknown task, or a loss that is not a scalar.
        """
        present = self._check(losses)
        if not present:
            return self._nothing.sum()
        losses_by_task, is_present = self._in_order(present)
        with torch.no_grad():
            weights, offsets = self._weigh(losses_by_task, is_present)
        self._weights_in_force = {task: weights[self.tasks.index(task)].clone() for task in present}
        terms = [self._weights_in_force[task] * at_least_float32(loss) for task, loss in present.items()]
        total = torch.stack(terms).sum() + torch.where(is_present, offsets, 0).sum()
        if total.requires_grad:  # a total that is only looked at leaves no trace
            tasks = tuple(present)
            total.register_hook(lambda scale: self._back_propagated(tasks, losses_by_task, is_present, scale))
        return total

    @torch.no_grad()
    def step(self) -> None:
        """Learn from the backward passes since the last step: after ``backward``, before the optimizer's step."""
        sums, passes = sum_over_processes(self._losses), sum_over_processes(self._passes)
        self._learn(sums / passes.clamp_min(1), passes > 0)
        self._forget()

    def skip(self) -> None:
        """Forget the backward passes since the last step, where the optimizer skips its step (in all processes)."""
        self._forget()

    def observe(self, *losses: Mapping[str, Tensor | None]) -> None:
        """Learn from what the optimizer's step did to the losses, where the class attribute ``observes`` is True.

        After the optimizer's step, in all processes together; not after :meth:`skip`.

        Args:
            losses: the losses of the same batches, computed again as in training but without gradients: a mapping as in
                the forward pass for each backward pass since the step before.

        Raises:
            TypeError: a loss is not a tensor.
            ValueError: an unknown task, a loss that is not a scalar, or no :meth:`step` before.
        """

    def end_epoch(self) -> None:
        """Mark the end of a training epoch, for weightings that compare epochs."""

    def report(self) -> dict[str, Tensor]:
        """Return what to log: the weights of the last call, ``weight/TASK``, and what they were computed from."""
        return {f"weight/{task}": weight for task, weight in self._weights_in_force.items()}

    @abstractmethod
    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The weights of the tasks, and what is added to the total for each; both of length T, without a graph."""

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        """Take the mean losses since the last step, over all processes, of the tasks that were present in any."""

    def _check(self, losses: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
        """The losses of the tasks that are present, if all are as they must be."""
        present = {task: loss for task, loss in losses.items() if loss is not None}
        for task, loss in present.items():
            if task not in self.tasks:
                raise ValueError(f"losses must be of the tasks {', '.join(self.tasks)}; got {task}")
            if not isinstance(loss, Tensor):
                raise TypeError(f"the loss of {task} must be a tensor; got {type(loss).__name__}")
            if loss.dim():
                raise ValueError(f"the loss of {task} must be a scalar; got the shape {tuple(loss.shape)}")
        return present

    def _in_order(self, losses: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The losses in the order of the tasks, without a graph, 0 for absent ones; and which are present."""
        values = self._nothing.clone()
        present = torch.zeros_like(values, dtype=torch.bool)
        for task, loss in losses.items():
            values[self.tasks.index(task)] = loss.detach()
            present[self.tasks.index(task)] = True
        return values, present

    def _back_propagated(self, tasks: tuple[str, ...], losses: Tensor, present: Tensor, scale: Tensor) -> None:
        """Record a backward pass; ``scale`` is the total's gradient: a scaler's factor, or 1 / accumulated batches."""
        self._losses = self._losses.to(losses) + losses
        self._passes = self._passes.to(losses) + present
        self._backwards += 1
        if self._backwards == MANY_PASSES and type(self)._learn is not Weighting._learn:
            warnings.warn(
                f"{type(self).__name__}: {MANY_PASSES} backward passes without a step(), so nothing is learned; "
                "call it before each step of the optimizer",
                stacklevel=2,
            )

    def _forget(self) -> None:
        # Plain attributes: what was seen since the last step is not state, and must not be broadcast as buffers are.
        self._losses = torch.zeros_like(self._nothing)
        self._passes = torch.zeros_like(self._nothing)
        self._backwards = 0

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        moved = super()._apply(without_rounding(fn), recurse)
        self._forget()
        return moved


def levels_of(features: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the tensors of features, one or several.

    Raises:
        TypeError: neither a tensor nor a tuple or list of tensors.
    """
    levels = (features,) if isinstance(features, Tensor) else features
    if not isinstance(levels, tuple | list) or not levels or not all(isinstance(level, Tensor) for level in levels):
        raise TypeError(f"features must be a tensor, or a tuple or list of tensors; got {type(features).__name__}")
    return tuple(levels)


def task_values(
    name: str,
    tasks: tuple[str, ...],
    values: Mapping[str, float] | None,
    *,
    default: float = 0.0,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Tensor:
    """Return the option ``name``, a number for each task, as a tensor in the order of the tasks.

    Args:
        name: of the option.
        tasks: the names of the tasks.
        values: for all tasks, or None.
        default: the number of each task if there are no values.
        above: the values are greater than this.
        at_least: the values are not less than this.
        at_most: the values are not greater than this.

    Raises:
        ValueError: a task is missing or unknown, or a value is outside its range.
    """
    if values is None:
        return torch.full((len(tasks),), default, dtype=stored_dtype())
    if set(values) != set(tasks):
        raise ValueError(f"{name} must have a value for each of {', '.join(tasks)}; got {', '.join(values) or 'none'}")
    for value in values.values():
        check_number(name, value, above=above, at_least=at_least, at_most=at_most)
    return torch.tensor([values[task] for task in tasks], dtype=stored_dtype())


def sum_over_processes(tensor: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes of ``torch.distributed``, if there are any."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        tensor = tensor.clone()
        torch.distributed.all_reduce(tensor)
    return tensor
