"""Dice over all classes at once, each by its size."""

from typing import Literal

import torch
from torch import Tensor

from losses.convention import IGNORE_INDEX, Reduction, check_choice, check_number, full_precision, ratio, reduce
from losses.regions import soft_regions
from losses.segmentation import RegionLoss

OfAbsent = Literal["keep", "skip"]


@full_precision
def generalized_dice_loss(
    input: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    per_sample: bool = True,
    absent: OfAbsent = "keep",
    include_background: bool = True,
    ignore_index: int = IGNORE_INDEX,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`GeneralizedDiceLoss`."""
    _check_options(smooth, absent)
    regions = soft_regions(input, target, per_sample, include_background, ignore_index, validate)
    present = regions.true > 0
    smallest = torch.where(present, regions.true, torch.inf).amin(-1, keepdim=True)
    of_present = ratio(smallest, regions.true, otherwise=1).square()
    weight = torch.where(present, of_present, 1.0 if absent == "keep" else 0.0)
    shared = (weight * regions.shared).sum(-1)
    whole = (weight * (regions.predicted + regions.true)).sum(-1)
    loss = 1 - ratio(2 * shared + smooth, whole + smooth, otherwise=1)
    counts = (regions.pixels > 0).any(-1)
    loss, counts = torch.atleast_1d(loss), torch.atleast_1d(counts)
    return reduce(torch.where(counts, loss, 0), reduction, weight=counts)


class GeneralizedDiceLoss(RegionLoss):
    r"""Generalized Dice loss, :math:`1 - \frac{2 \sum_c w_c \sum p t}{\sum_c w_c \sum p + t}` (Sudre et al. 2017).

    The weight of a class is one over the square of its size, :math:`w_c = (\min_k \sum t_k / \sum t_c)^2`, here with 1
    for the smallest class. So a class of a few pixels counts as much as the background, and yet there is one ratio, in
    which errors of all classes are added up before they are divided; :class:`DiceLoss` takes the mean of ratios.

    Args:
        smooth: added to both parts of the ratio, >= 0, in pixels of the smallest class.
        per_sample: one value for each sample; False takes the sums over the whole batch first.
        absent: the weight of a class without a true pixel in the sample (or batch): ``keep`` the largest, 1, so that
            what is taken for it costs as much as an error in the smallest class; or ``skip`` it, with 0.
        include_background: False leaves class 0 out.
        ignore_index: pixels of this class do not count, in regions pixels of this value.
        reduction: ``none`` returns N, or 1 without ``per_sample``; ``mean`` is over the samples with a pixel that
            counts; or ``sum``.
        validate: whether to look for targets outside [0, C) or [0, 1] (on a GPU that waits for it).

    Example:
        >>> logits, target = torch.zeros(1, 2, 10), torch.tensor([[0, 0, 0, 0, 0, 0, 0, 0, 1, 1]])
        >>> GeneralizedDiceLoss(smooth=0.0)(logits, target)  # weights 1/16 and 1: 1 - 2 (4/16 + 1) / (13/16 + 7)
        tensor(0.6800)
    """

    function = staticmethod(generalized_dice_loss)

    def __init__(
        self,
        *,
        smooth: float = 1.0,
        per_sample: bool = True,
        absent: OfAbsent = "keep",
        include_background: bool = True,
        ignore_index: int = IGNORE_INDEX,
        reduction: Reduction = "mean",
        validate: bool = True,
    ) -> None:
        _check_options(smooth, absent)
        super().__init__(
            smooth=smooth,
            per_sample=per_sample,
            absent=absent,
            include_background=include_background,
            ignore_index=ignore_index,
            reduction=reduction,
            validate=validate,
        )


def _check_options(smooth: float, absent: OfAbsent) -> None:
    check_number("smooth", smooth, at_least=0)
    check_choice("absent", absent, OfAbsent)
