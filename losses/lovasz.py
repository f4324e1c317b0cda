"""The Lovasz-softmax loss: the Jaccard index itself, made continuous."""

import torch
from torch import Tensor

from losses.convention import IGNORE_INDEX, Reduction, check_choice, full_precision, ratio, reduce
from losses.regions import Absent, count_classes, soft_errors
from losses.segmentation import RegionLoss


@full_precision
def lovasz_loss(
    input: Tensor,
    target: Tensor,
    *,
    per_sample: bool = True,
    absent: Absent = "skip",
    ignore_index: int = IGNORE_INDEX,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`LovaszLoss`."""
    check_choice("absent", absent, Absent)
    errors, true, valid = soft_errors(input, target, ignore_index, validate)
    if not per_sample:
        errors, true, valid = (each.movedim(1, 0).flatten(1) for each in (errors, true, valid))
    # What does not count comes last, where it changes nothing for the others.
    order = torch.where(valid, errors.detach(), -1).argsort(dim=-1, descending=True)
    errors, true = errors.gather(-1, order), true.gather(-1, order)
    number = true.sum(-1, keepdim=True)
    missed = number - true.cumsum(-1)
    union = number + (~true).cumsum(-1)
    # How much the Jaccard distance grows with each pixel that turns wrong, in closed form: the difference of two
    # distances near 1 would have no digits left in a picture of a million pixels.
    union, missed = union.to(errors.dtype), missed.to(errors.dtype)
    of_false = ratio(missed, union * (union - 1), otherwise=1)  # all of it at the first pixel, if there is no true one
    growth = torch.where(true, 1 / union.clamp_min(1), of_false)
    loss, counts = count_classes((errors * growth).sum(-1), number.squeeze(-1) > 0, valid.any(-1), absent)
    return reduce(loss, reduction, weight=counts)


class LovaszLoss(RegionLoss):
    r"""Lovasz-softmax loss (Berman et al. 2018): the Jaccard distance :math:`1 - TP / (TP + FP + FN)` by class.

    For predictions that are sure it is this distance, one minus the intersection over union. Between them it is
    the tightest convex extension (Lovasz's) in the errors :math:`|t - p|`: with these sorted, the largest first, and
    :math:`J_k` the distance if the first k pixels were wrong, it is :math:`\sum_k |t - p|_k (J_k - J_{k-1})`. p is the
    softmax for classes, and the sigmoid for regions.

    Add a cross-entropy to train with it from scratch, as with :class:`SumLoss`: its gradient is small where nothing is
    learned.

    Args:
        per_sample: one value for each sample and class; False sorts the pixels of the whole batch, which is nearer to
            the mean IoU of a data set.
        absent: how a class without a true pixel in the sample (or batch) counts: ``skip`` it in the mean, ``keep`` its
            value, the largest of its probabilities, or count it as ``zero``.
        ignore_index: pixels of this class do not count, in regions pixels of this value.
        reduction: ``none`` returns N x C, or C without ``per_sample``; ``mean`` is over the classes that count; or
            ``sum``.
        validate: whether to look for targets outside [0, C), or in regions other than 0 and 1 (on a GPU that waits for
            it).

    Example:
        >>> logits, mask = torch.full((1, 1, 4, 4), 100.0), torch.zeros(1, 1, 4, 4)
        >>> mask[..., :2] = 1  # the left half, where everything is predicted
        >>> LovaszLoss()(logits, mask)  # 1 - 8 / 16
        tensor(0.5000)
    """

    function = staticmethod(lovasz_loss)

    def __init__(
        self,
        *,
        per_sample: bool = True,
        absent: Absent = "skip",
        ignore_index: int = IGNORE_INDEX,
        reduction: Reduction = "mean",
        validate: bool = True,
    ) -> None:
        check_choice("absent", absent, Absent)
        super().__init__(
            per_sample=per_sample, absent=absent, ignore_index=ignore_index, reduction=reduction, validate=validate
        )
