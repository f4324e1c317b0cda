"""The Charbonnier loss: an absolute error whose corner is rounded."""

import torch
from torch import Tensor

from losses.convention import Reduction, check_number, full_precision, reduce
from losses.regression import RegressionLoss, masked_error


@full_precision
def charbonnier_loss(
    input: Tensor, target: Tensor, *, eps: float = 1e-3, mask: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`CharbonnierLoss`."""
    check_number("eps", eps, above=0)
    error, mask = masked_error(input, target, mask)
    loss = torch.hypot(error, error.new_full((), eps))  # a square overflows, and that of a small eps is 0
    return reduce(loss if mask is None else torch.where(mask, loss, 0), reduction, weight=mask)


class CharbonnierLoss(RegressionLoss):
    r"""Charbonnier loss, :math:`\sqrt{e^2 + \epsilon^2}`: :class:`L1Loss` with a smooth minimum.

    From Charbonnier et al. 1994; Lai et al. 2017 made it the loss of super-resolution. Near 0 it is
    :math:`\epsilon + e^2 / 2\epsilon`, far away :math:`|e|`. A perfect fit costs :math:`\epsilon`.

    Args:
        eps: :math:`\epsilon` > 0, in the unit of the target: errors well below it count like squares.
        reduction: ``none`` keeps the shape, ``mean`` or ``sum``.

    Example:
        >>> CharbonnierLoss(eps=3.0, reduction="none")(torch.tensor([0.0, 4.0]), torch.zeros(2))
        tensor([3., 5.])
    """

    likelihood = "laplace"
    function = staticmethod(charbonnier_loss)

    def __init__(self, *, eps: float = 1e-3, reduction: Reduction = "mean") -> None:
        check_number("eps", eps, above=0)
        super().__init__(eps=eps, reduction=reduction)
