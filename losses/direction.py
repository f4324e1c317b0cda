"""The loss of directions, such as surface normals."""

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.convention import Loss, Reduction, check_boolean, check_same_shape, full_precision, reduce


@full_precision
def cosine_loss(input: Tensor, target: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`CosineLoss`."""
    check_same_shape(input, target)
    if input.dim() < 2:
        raise ValueError(f"input must have the shape N x C x ...; got {tuple(input.shape)}")
    if mask is not None:
        check_boolean(mask)
        if mask.shape != input.shape[:1] + input.shape[2:]:
            raise ValueError(
                f"mask must have the shape of input without its dimension 1; got {tuple(mask.shape)} "
                f"and {tuple(input.shape)}"
            )
        target = torch.where(mask.unsqueeze(1), target, 0)  # whatever it holds there, NaN too
    loss = 1 - (F.normalize(input, dim=1) * F.normalize(target, dim=1)).sum(1)
    return reduce(loss if mask is None else torch.where(mask, loss, 0), reduction, weight=mask)


class CosineLoss(Loss):
    r"""One minus the cosine of the angle between two vectors, :math:`1 - x \cdot y / (\lVert x\rVert \lVert y\rVert)`.

    Args:
        reduction: ``none`` gives N x ..., one loss per vector; ``mean`` or ``sum``.

    Example:
        >>> up, right, down = torch.eye(2)[None, 0], torch.eye(2)[None, 1], -torch.eye(2)[None, 0]
        >>> loss = CosineLoss()
        >>> loss(3 * up, up), loss(up, right), loss(up, down)
        (tensor(0.), tensor(1.), tensor(2.))
    """

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Compute the loss of predicted directions against the true ones.

        Args:
            input: predicted vectors, N x C x ..., floating point, of any length.
            target: true vectors, same shape.
            mask: boolean, N x ...: True where the truth is known; only these vectors count.

        Returns:
            The loss, in [0, 2], in at least float32. A vector of length 0 is orthogonal to all others and costs 1. The
            mean of nothing is 0.

        Raises:
            TypeError: ``mask`` is not boolean.
            ValueError: shapes do not fit.
        """
        return cosine_loss(input, target, mask=mask, **self.options)
