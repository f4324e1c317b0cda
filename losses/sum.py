"""A loss of several terms, such as an error and the edges of its map."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from losses.convention import Likelihood, Loss, Reduction, check_number, full_precision


@full_precision
def sum_loss(losses: Mapping[str, Tensor], *, weights: Mapping[str, float] | None = None) -> Tensor:
    r"""Functional form of :class:`SumLoss`, of ``losses`` by name that are reduced already, and of one shape."""
    shapes = {name: tuple(loss.shape) for name, loss in losses.items()}
    if len(set(shapes.values())) > 1:
        given = ", ".join(f"{shape} of {name}" for name, shape in shapes.items())
        raise ValueError(f"terms must have losses of one shape to be added; got {given}: set reduction to mean or sum")
    return torch.stack([(weights or {}).get(name, 1.0) * loss for name, loss in losses.items()]).sum(0)


class SumLoss(Loss):
    r"""Sum of several losses of one prediction, :math:`\sum_i w_i L_i`.

    What it is like, for uncertainty weighting, is what its first term is like.

    Args:
        terms: losses, by names of your own.
        weights: a weight >= 0 for some of the terms, by their names; the others have 1.
        reduction: of every term; with ``none`` all must have losses of one shape.

    Raises:
        TypeError: a term is not a loss of this package, or derived from one.
        ValueError: no term, a weight for none of them, or out of its range, or a term with a reduction of its own.

    Example:
        >>> from losses import GradientMatchingLoss, L1Loss
        >>> loss = SumLoss({"l1": L1Loss(), "edges": GradientMatchingLoss(scales=1)}, weights={"edges": 0.5})
        >>> step = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])
        >>> loss(torch.zeros(1, 1, 1, 4), step)  # 0.5 + 0.5 * 0.25
        tensor(0.6250)
    """

    def __init__(
        self,
        terms: Mapping[str, Loss],
        *,
        weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.weights = dict(weights or {})
        if not terms:
            raise ValueError("terms must be one or more; got none")
        for name, term in terms.items():
            if not isinstance(term, Loss):
                raise TypeError(f"terms must be losses of this package; got {type(term).__name__} for {name}")
            if term.reduction not in ("mean", reduction):
                raise ValueError(f"the reduction of all terms is {reduction}; got {term.reduction} for {name}")
        for name, weight in self.weights.items():
            if name not in terms:
                raise ValueError(f"weights must be of the terms {', '.join(terms)}; got {name}")
            check_number("weights", weight, at_least=0)
        self.terms = nn.ModuleDict({name: term.with_options(reduction=reduction) for name, term in terms.items()})

    @property
    def likelihood(self) -> Likelihood:  # type: ignore[override]  # of the instance
        """What its first term is like."""
        return next(iter(self._terms().values())).likelihood

    @property
    def options(self) -> dict[str, Any]:
        """The options by their names."""
        return {"terms": self._terms(), "weights": self.weights, "reduction": self.reduction}

    def with_options(self, **options: Any) -> Self:
        """Return a sum whose terms have other options; each takes those that it has."""
        terms = {name: term.with_options(**options) for name, term in self._terms().items()}
        return type(self)(terms, weights=self.weights, reduction=options.get("reduction", self.reduction))

    def forward(self, input: Tensor, target: Tensor, **options: Any) -> Tensor:
        """Compute the sum of the terms.

        Args:
            input: predictions.
            target: the truth.
            options: further arguments of the terms, such as ``mask``.

        Returns:
            The loss in at least float32.

        Raises:
            ValueError: shapes do not fit.
        """
        losses = {name: term(input, target, **options) for name, term in self._terms().items()}
        return sum_loss(losses, weights=self.weights)

    def _terms(self) -> dict[str, Any]:
        return dict(self.terms.items())
