"""Losses of bounding boxes by their overlap, which does not depend on the boxes' size."""

from typing import Literal

import torch
from torch import Tensor

from losses.convention import (
    Loss,
    Reduction,
    check_choice,
    check_same_shape,
    full_precision,
    ratio,
    reads_values,
    reduce,
)

IoUMode = Literal["linear", "log"]


class BoxLoss(Loss):
    """Base of the losses of boxes, which differ in their function and its options."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of predicted boxes against the true ones.

        Args:
            input: predicted boxes, ... x 4 as (x1, y1, x2, y2), floating point, in any unit. Corners in the wrong order
                are put right first, so that an inverted box is no way out.
            target: true boxes, same shape, x1 <= x2 and y1 <= y2.

        Returns:
            The loss, >= 0, in at least float32. Equal boxes cost 0 whatever their size, also without area. The mean of
            nothing is 0.

        Raises:
            ValueError: shapes differ or are not ... x 4, or a true box is inverted.
        """
        return self.function(input, target, **self.options)


@full_precision
def iou_loss(
    input: Tensor, target: Tensor, *, mode: IoUMode = "linear", reduction: Reduction = "mean", validate: bool = True
) -> Tensor:
    """Functional form of :class:`IoULoss`."""
    check_choice("mode", mode, IoUMode)
    iou, _, _ = _overlap(input, target, validate)
    return reduce(1 - iou if mode == "linear" else -iou.clamp_min(1e-6).log(), reduction)


class IoULoss(BoxLoss):
    r"""Loss of boxes by their overlap, :math:`1 - \mathrm{IoU}` or :math:`-\log \mathrm{IoU}` (Yu et al. 2016).

    It is in [0, 1], or in [0, 13.8] for the logarithm. Boxes that do not overlap have no gradient: see
    :class:`GIoULoss`. Boxes without area cost as much as others that do not overlap, unless they are equal.

    Args:
        mode: ``linear``, or ``log``, UnitBox's, where an IoU below 1e-6 is raised to 1e-6.
        reduction: ``none`` gives one loss per box; ``mean`` or ``sum``.
        validate: whether to look for true boxes with their corners in the wrong order (on a GPU that waits for it).

    Example:
        >>> IoULoss()(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[0.0, 0.0, 2.0, 1.0]]))
        tensor(0.5000)
    """

    function = staticmethod(iou_loss)

    def __init__(self, *, mode: IoUMode = "linear", reduction: Reduction = "mean", validate: bool = True) -> None:
        check_choice("mode", mode, IoUMode)
        super().__init__(mode=mode, reduction=reduction, validate=validate)


@full_precision
def giou_loss(input: Tensor, target: Tensor, *, reduction: Reduction = "mean", validate: bool = True) -> Tensor:
    """Functional form of :class:`GIoULoss`."""
    iou, union, hull = _overlap(input, target, validate)
    return reduce(1 - iou + ratio(hull - union, hull, otherwise=0), reduction)


class GIoULoss(BoxLoss):
    r"""Generalized IoU loss, :math:`1 - \mathrm{IoU} + (|C| - |A \cup B|) / |C|` (Rezatofighi et al. 2019).

    :math:`C` is the smallest box around both, so that boxes far apart cost more, up to 2, and have a gradient.

    Args:
        reduction: ``none`` gives one loss per box; ``mean`` or ``sum``.
        validate: whether to look for true boxes with their corners in the wrong order (on a GPU that waits for it).

    Example:
        >>> GIoULoss()(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[3.0, 0.0, 4.0, 1.0]]))  # 1 + 2 / 4
        tensor(1.5000)
    """

    function = staticmethod(giou_loss)

    def __init__(self, *, reduction: Reduction = "mean", validate: bool = True) -> None:
        super().__init__(reduction=reduction, validate=validate)


def _overlap(input: Tensor, target: Tensor, validate: bool) -> tuple[Tensor, Tensor, Tensor]:
    """IoU, area of the union, and area of the smallest box around both."""
    check_same_shape(input, target)
    if not input.dim() or input.shape[-1] != 4:
        raise ValueError(f"input must have the shape ... x 4; got {tuple(input.shape)}")
    if reads_values(validate, target) and (target[..., :2] > target[..., 2:]).any():
        wrong = target[(target[..., :2] > target[..., 2:]).any(-1)][0]
        raise ValueError(f"target must have x1 <= x2 and y1 <= y2 in every box; got {wrong.tolist()}")
    first, second = input[..., :2], input[..., 2:]
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    target_low, target_high = target[..., :2], target[..., 2:]

    shared = (torch.minimum(high, target_high) - torch.maximum(low, target_low)).clamp_min(0).prod(-1)
    union = (high - low).prod(-1) + (target_high - target_low).prod(-1) - shared
    hull = (torch.maximum(high, target_high) - torch.minimum(low, target_low)).prod(-1)
    equal = ((low == target_low) & (high == target_high)).all(-1)
    return ratio(shared, union, otherwise=equal), union, hull
