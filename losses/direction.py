"""The loss of directions, such as surface normals."""

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.convention import Loss, Reduction, check_boolean, check_same_shape, full_precision, reduce


@full_precision
def cosine_loss(input: Tensor, target: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean") -> Tensor:
    r"""One minus the cosine of the angle between two vectors, :math:`1 - x \cdot y / (\lVert x\rVert \lVert y\rVert)`.

    Args:
        input: predicted vectors, N x C x ..., floating point, of any length.
        target: true vectors, same shape.
        mask: boolean, N x ...: True where the truth is known; only these vectors count.
        reduction: ``"none"`` gives N x ...; ``"mean"`` and ``"sum"`` give a scalar. The mean of nothing is 0.

    Returns:
        The loss, in [0, 2], in float32 (float64 for float64 tensors), also under autocast. A vector of length 0 is
        orthogonal to all others and costs 1.

    Raises:
        ValueError: shapes do not fit, or ``reduction`` is unknown.
    """
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
    """Module form of :func:`cosine_loss`."""

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """See :func:`cosine_loss`."""
        return cosine_loss(input, target, mask=mask, **self.options)
