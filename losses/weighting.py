"""Weightings: one total out of the losses of several tasks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Self

import torch
import torch.distributed
from torch import Tensor, nn

from losses.convention import at_least_float32, check_number, stored_dtype, without_rounding
from losses.static_weights import read_weights


class Weighting(nn.Module, ABC):
    r"""Base of the weightings: makes :math:`\sum_i w_i L_i` of the losses of named tasks, with weights of its own.

    A training step, in any loop::

        features = encoder(images)                              # what all tasks share
        views = weighting.branch(features, encoder.last.weight)  # a view of it for each task
        total = weighting({task: loss(task, views[task]) for task in tasks})
        total.backward()
        weighting.step()                                        # learns from that backward pass
        optimizer.step()

    What a weighting learns or remembers is in its ``state_dict``. It learns by itself, in at least float32, from
    gradients in closed form: no optimiser of the network's has it, so that neither weight decay nor gradient clipping
    reach it. Several backward passes before a :meth:`step` count as one, of their mean. With ``torch.distributed`` all
    processes call :meth:`step` together, and their weights stay the same to the bit.

    Args:
        tasks: the names of the tasks.

    Raises:
        ValueError: no task, or two of one name.
    """

    _nothing: Tensor
    _losses: Tensor
    _passes: Tensor

    def __init__(self, tasks: Iterable[str]) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks must be one or more different names; got {', '.join(self.tasks) or 'none'}")
        self.register_buffer("_nothing", torch.zeros(len(self.tasks), dtype=stored_dtype()), persistent=False)
        self._weights_in_force: dict[str, Tensor] = {}
        self._forget()

    def branch(self, features: Tensor, weight: nn.Parameter) -> dict[str, Tensor]:
        """Give each task its view of the features that all share; a weighting that needs gradients measures them here.

        Args:
            features: the output of the last shared layer, of any shape.
            weight: the weight of that layer.

        Returns:
            For each task a tensor equal to ``features``.
        """
        return dict.fromkeys(self.tasks, features)

    def forward(self, losses: Mapping[str, Tensor | None]) -> Tensor:
        """Make the total to back-propagate.

        Args:
            losses: a scalar for each task. A task that is missing, or None, has no labels in this batch: nothing that
                is remembered of it changes.

        Returns:
            A scalar in at least float32. Without any task 0, without a graph.

        Raises:
            ValueError: an unknown task, or a loss that is no scalar.
        """
        present = {task: loss for task, loss in losses.items() if loss is not None}
        for task, loss in present.items():
            if task not in self.tasks:
                raise ValueError(f"losses must be of the tasks {', '.join(self.tasks)}; got {task}")
            if loss.dim():
                raise ValueError(f"the loss of {task} must be a scalar; got the shape {tuple(loss.shape)}")
        if not present:
            return self._nothing.sum()
        losses_by_task = self._nothing.clone()
        is_present = torch.zeros_like(losses_by_task, dtype=torch.bool)
        for task, loss in present.items():
            losses_by_task[self.tasks.index(task)] = loss.detach()
            is_present[self.tasks.index(task)] = True
        with torch.no_grad():
            weights, offsets = self._weigh(losses_by_task, is_present)
        self._weights_in_force = {task: weights[self.tasks.index(task)].clone() for task in present}
        terms = [self._weights_in_force[task] * at_least_float32(loss) for task, loss in present.items()]
        total = torch.stack(terms).sum() + torch.where(is_present, offsets, 0).sum()
        if total.requires_grad:  # what is only looked at leaves no trace
            total.register_hook(lambda scale: self._back_propagated(losses_by_task, is_present, scale))
        return total

    @torch.no_grad()
    def step(self) -> None:
        """Learn from the backward passes since the last step: after ``backward``, before the optimiser's step."""
        sums, passes = sum_over_processes(self._losses), sum_over_processes(self._passes)
        self._learn(sums / passes.clamp_min(1), passes > 0)
        self._forget()

    def skip(self) -> None:
        """Forget the backward passes since the last step, where the optimiser skips its step (in all processes)."""
        self._forget()

    def end_epoch(self) -> None:
        """Say that an epoch of training is over; for weightings that compare epochs."""

    def report(self) -> dict[str, Tensor]:
        """Give what is worth a line in a log: the weights of the last call, ``weight/TASK``, and what made them."""
        return {f"weight/{task}": weight for task, weight in self._weights_in_force.items()}

    @abstractmethod
    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The weights of the tasks, and what is added to the total for each; both of length T, without a graph."""

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        """Take the mean losses since the last step, over all processes, of the tasks that were present in any."""

    def _back_propagated(self, losses: Tensor, present: Tensor, scale: Tensor) -> None:
        """Note a backward pass; ``scale`` is the total's gradient: a scaler's factor, or 1 / accumulated batches."""
        self._losses = self._losses.to(losses) + losses
        self._passes = self._passes.to(losses) + present

    def _forget(self) -> None:
        # Plain attributes: what was seen since the last step is no state, and must not be broadcast as buffers are.
        self._losses = torch.zeros_like(self._nothing)
        self._passes = torch.zeros_like(self._nothing)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        moved = super()._apply(without_rounding(fn), recurse)
        self._forget()
        return moved


class FixedWeighting(Weighting):
    """Weights that stay as they are; equal ones unless said otherwise.

    Args:
        tasks: the names of the tasks.
        weights: one weight >= 0 for each task, or a JSON file of them; 1 for all if left out.

    Raises:
        ValueError: weights of other tasks than ``tasks``, or negative ones; a file that holds no weights.
    """

    fixed: Tensor

    def __init__(self, tasks: Iterable[str], *, weights: Mapping[str, float] | str | Path | None = None) -> None:
        super().__init__(tasks)
        name = "weights"
        if isinstance(weights, str | Path):
            name, weights = f"weights in {weights}", read_weights(weights)
        self.register_buffer("fixed", task_values(name, self.tasks, weights, default=1.0, at_least=0))

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        return self.fixed, self._nothing


class GeometricMean(Weighting):
    r"""The geometric mean of the losses, :math:`(\prod_i L_i)^{1/n}` (Chennupati et al. 2019), whatever their scales.

    Its gradient is that of a sum with the weights :math:`\bar L / (n L_i)`. All losses must be above 0.

    Args:
        tasks: the names of the tasks.
    """

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        count = present.sum()
        safe = torch.where(present, losses, 1)
        return (safe.log().sum() / count).exp() / (count * safe), self._nothing


class DynamicWeightAverage(Weighting):
    r"""Dynamic weight average, :math:`w_i = T\,\mathrm{softmax}_i(r_i/\tau)` (Liu et al. 2019), for T tasks.

    :math:`r_i` is the mean loss of the last epoch over that of the one before: what falls slowly counts more. The first
    two epochs weigh all tasks alike. Call :meth:`end_epoch` after each epoch.

    Args:
        tasks: the names of the tasks.
        temperature: :math:`\tau` > 0; the paper's is 2. Larger ones weigh more evenly.

    Raises:
        ValueError: ``temperature`` is not above 0.
    """

    current: Tensor
    sums: Tensor
    steps: Tensor
    last: Tensor

    def __init__(self, tasks: Iterable[str], *, temperature: float = 2.0) -> None:
        super().__init__(tasks)
        check_number("temperature", temperature, above=0)
        self.temperature = temperature
        self.register_buffer("current", torch.ones_like(self._nothing))
        for name in ("sums", "steps"):
            self.register_buffer(name, torch.zeros_like(self._nothing))
        self.register_buffer("last", torch.full_like(self._nothing, torch.nan))

    def _weigh(self, losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        return self.current, self._nothing

    def _learn(self, losses: Tensor, present: Tensor) -> None:
        self.sums += torch.where(present, losses, 0)
        self.steps += present

    @torch.no_grad()
    def end_epoch(self) -> None:
        """Set the weights of the next epoch from the losses of this one and the last."""
        mean = torch.where(self.steps > 0, self.sums / self.steps.clamp_min(1), self.last)
        rates = mean / self.last
        known = rates.isfinite()  # the others keep the weight of a task that stands still
        weights = torch.where(known, rates, 1).div(self.temperature).softmax(0) * len(self.tasks)
        self.current.copy_(torch.where(known.any(), weights, self.current))
        self.last.copy_(mean)
        self.sums.zero_()
        self.steps.zero_()


def task_values(
    name: str,
    tasks: tuple[str, ...],
    values: Mapping[str, float] | None,
    *,
    default: float,
    above: float | None = None,
    at_least: float | None = None,
) -> Tensor:
    """Give the option ``name``, a number for each task, as a tensor in the order of the tasks.

    Args:
        name: of the option.
        tasks: the names of the tasks.
        values: for all tasks, or None.
        default: the number of each task if there are no values.
        above: the values are greater than this.
        at_least: the values are not less than this.

    Raises:
        ValueError: a task is missing or unknown, or a value is outside its range.
    """
    if values is None:
        return torch.full((len(tasks),), default, dtype=stored_dtype())
    if set(values) != set(tasks):
        raise ValueError(f"{name} must have a value for each of {', '.join(tasks)}; got {', '.join(values) or 'none'}")
    for value in values.values():
        check_number(name, value, above=above, at_least=at_least)
    return torch.tensor([values[task] for task in tasks], dtype=stored_dtype())


def sum_over_processes(tensor: Tensor) -> Tensor:
    """The sum of a tensor over all processes of ``torch.distributed``, if there are any."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        tensor = tensor.clone()
        torch.distributed.all_reduce(tensor)
    return tensor
