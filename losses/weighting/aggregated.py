"""TorchJD's aggregators as weightings: the trunk follows their direction, each head the gradient of its own loss."""

import importlib
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from losses.convention import at_least_float32
from losses.weighting.tap import Gradients, TappedWeighting


class AggregatedGradients(TappedWeighting):
    r"""Gradient aggregation by TorchJD, :math:`\mathcal A(g_1, \dots, g_T)`, in one ordinary backward pass.

    :math:`g_i` is the gradient of task i in the shared features. When all of them have arrived there, and before they
    go on into the trunk, the aggregator's vector replaces their sum; so the trunk is back-propagated once, as with
    equal weights. Each head gets the gradient of its own loss, and the total is the plain sum of the losses. To
    aggregate at the features, as MGDA-UB (Sener and Koltun 2018) and IMTL-G (Liu et al. 2021) do, is the cheap form: in
    the gradients of all shared parameters the aggregator would find other weights.

    Only tasks with a loss in the batch are aggregated, in the order of ``tasks``; an aggregator built for a
    number of tasks refuses batches without one of them. Several backward passes before an optimizer's step are
    aggregated each by itself, and so are the batches of several processes, whose directions are then averaged. Factors
    of loss scalers are undone for the aggregator; gradients that are not finite go on as their sum, so that scalers
    notice.

    What the aggregator keeps from step to step is in the ``state_dict``, except that of ``NashMTL``, which starts over.

    Args:
        tasks: the names of the tasks.
        aggregator: an object of the package ``torchjd.aggregation``, such as ``CAGrad(c=0.4)``; or the name of one that
            needs no options: ``UPGrad``, ``PCGrad``, ``MGDA``, ``IMTLG``, ``AlignedMTL``.

    Raises:
        ModuleNotFoundError: TorchJD is not installed.
        ValueError: not an aggregator of TorchJD, or the name of one that needs options; in :meth:`step`: a task whose
            gradient did not arrive at its view.

    Example:
        >>> weight = torch.nn.Parameter(torch.eye(2))
        >>> weighting = AggregatedGradients(["a", "b"], aggregator="UPGrad")
        >>> views = weighting.branch(torch.ones(1, 2) @ weight, weight)
        >>> weighting({"a": views["a"][0, 0], "b": views["b"][0, 1] - views["b"][0, 0]}).backward()  # they disagree
        >>> weight.grad.round(decimals=2)
        tensor([[0.2500, 0.7500],
                [0.2500, 0.7500]])
    """

    def __init__(self, tasks: Iterable[str], *, aggregator: str | nn.Module = "UPGrad") -> None:
        super().__init__(tasks)
        made = as_aggregator(aggregator)
        # No submodule: its buffers come and go, which load_state_dict refuses, and its precision is not ours to change.
        self._aggregate: Callable[[Tensor], Tensor] = made.__call__
        self._parts = {name or "aggregator": module for name, module in made.named_modules()}
        self._name = str(made)
        self._found: dict[str, Tensor] = {}
        if isinstance(made, importlib.import_module("torchjd.aggregation").WeightedAggregator):
            made.weighting.register_forward_hook(self._note)

    def report(self) -> dict[str, Tensor]:
        """Return ``weight/TASK`` of the last backward pass; NaN for aggregators that are not weighted sums."""
        unknown = self._nothing.new_full((), torch.nan)
        return {f"weight/{task}": self._found.get(task, unknown) for task in self.tasks}

    def get_extra_state(self) -> dict[str, dict[str, Any]]:
        """Return what the parts of the aggregator remember, by their names."""
        return {name: _memory(part) for name, part in self._parts.items()}

    def set_extra_state(self, state: dict[str, dict[str, Any]]) -> None:
        """Restore what :meth:`get_extra_state` returned.

        Raises:
            ValueError: the state is another aggregator's.
        """
        if state.keys() != self._parts.keys():
            raise ValueError(f"aggregator must be the one that the state was saved with; got {self._name}")
        for name, part in self._parts.items():
            for attribute, value in state[name].items():
                setattr(part, attribute, value.clone() if isinstance(value, Tensor) else value)

    def extra_repr(self) -> str:
        """Return the aggregator, for ``print(model)``."""
        return f"aggregator={self._name}"

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
        self._found = {}
        self._aggregated = tuple(gradients)
        reached = [total for total in totals if total is not None]
        rows = [
            [
                at_least_float32(torch.zeros_like(total) if gradient is None else gradient).flatten()
                for total, gradient in zip(totals, of_levels, strict=True)
                if total is not None
            ]
            for of_levels in gradients.values()
        ]
        matrix = torch.stack([torch.cat(row) for row in rows]) / self._scale
        if not matrix.isfinite().all():
            return totals
        with torch.autocast(matrix.device.type, enabled=False):
            direction = self._aggregate(matrix) * self._scale
        parts = iter(direction.split([total.numel() for total in reached]))
        return [None if total is None else next(parts).view_as(total).to(total) for total in totals]

    def _note(self, part: nn.Module, inputs: tuple[Tensor, ...], weights: Tensor) -> None:
        self._found = dict(zip(self._aggregated, weights.detach().to(self._nothing), strict=True))


def as_aggregator(aggregator: str | nn.Module) -> nn.Module:
    """Return an aggregator of TorchJD, built here if only its name is given.

    Args:
        aggregator: a class of ``torchjd.aggregation`` by its name, or an object of one.

    Raises:
        ModuleNotFoundError: TorchJD is not installed.
        ValueError: there is no such aggregator, or it needs options.
    """
    try:
        package = importlib.import_module("torchjd.aggregation")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "torchjd":
            raise
        message = "AggregatedGradients needs TorchJD: pip install -e '.[torchjd]'"
        raise ModuleNotFoundError(message, name=error.name) from None
    if isinstance(aggregator, package.Aggregator):
        return aggregator
    kind = getattr(package, aggregator, None) if isinstance(aggregator, str) else None
    if not (isinstance(kind, type) and issubclass(kind, package.Aggregator)):
        raise ValueError(f"aggregator must be one of torchjd.aggregation, such as UPGrad or PCGrad; got {aggregator!r}")
    try:
        return kind()
    except TypeError as error:
        raise ValueError(f"aggregator {aggregator} needs options: pass it built, not its name: {error}") from None


def _memory(part: nn.Module) -> dict[str, Any]:
    """The state of a part of an aggregator without its options, which are properties of the same name without the _."""
    own = set(vars(part)) - set(vars(nn.Module())) - {"_parameters", "_buffers", "_modules"}
    values = {name: getattr(part, name) for name in own if name[0] == "_" and not hasattr(type(part), name[1:])}
    values |= dict(part.named_buffers(recurse=False))
    simple = (Tensor, int, float, tuple, type(None))
    return {name: value for name, value in values.items() if isinstance(value, simple)}
