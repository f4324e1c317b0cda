"""Segmentation losses by the overlap of regions, in which small classes count as much as large ones."""

from torch import Tensor

from losses.binary import bce_with_logits_loss
from losses.classification import cross_entropy_loss
from losses.convention import (
    IGNORE_INDEX,
    ClassWeights,
    Loss,
    Reduction,
    as_weights,
    check_choice,
    check_class_weights,
    check_number,
    full_precision,
    power,
    ratio,
    reduce,
)
from losses.regions import Absent, Regions, count_classes, soft_regions


class RegionLoss(Loss):
    """Base of the losses of regions, which differ in their function and its options."""

    likelihood = "categorical"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits against classes or regions.

        Args:
            input: logits, N x C x ..., floating point.
            target: classes in [0, C), integer, N x ...; or regions in [0, 1], N x C x ..., of any dtype. A binary mask
                is one region: N x 1 x ....

        Returns:
            The loss, >= 0, in at least float32. No pixel that counts: 0.

        Raises:
            ValueError: shapes do not fit, or a target is outside its range.
        """
        return self.function(input, target, **self.options)


@full_precision
def dice_loss(
    input: Tensor,
    target: Tensor,
    *,
    smooth: float = 1.0,
    per_sample: bool = True,
    absent: Absent = "keep",
    include_background: bool = True,
    weight: Tensor | None = None,
    ignore_index: int = IGNORE_INDEX,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`DiceLoss`."""
    _check_options(smooth, absent)
    regions = soft_regions(input, target, per_sample, include_background, ignore_index, validate)
    weight = check_class_weights("weight", weight, input)
    loss, counts = count_classes(_dice(regions, smooth), regions.true > 0, regions.pixels > 0, absent, weight)
    return reduce(loss, reduction, weight=counts)


class DiceLoss(RegionLoss):
    r"""Dice loss, :math:`1 - \frac{2 \sum p t + s}{\sum p + \sum t + s}` by class (Milletari et al. 2016), in [0, 1].

    The shape of the target selects one of two forms. Classes (N x ..., the input without its class dimension): p is the
    softmax over the C classes. Regions (the shape of the input): each channel is a binary mask of its own, and p is the
    sigmoid.

    Args:
        smooth: :math:`s` >= 0. It sets the cost of a class whose true region is empty. With 1, false positives of k
            pixels cost k/(k + 1), but a missed object of one pixel costs only 0.5; use 1e-5 for small objects.
        per_sample: one value for each sample and class; False takes the sums over the whole batch first.
        absent: how a class without a true pixel in the sample (or batch) counts: ``keep`` its value, ``skip`` it in
            the mean, or count it as ``zero``.
        include_background: False leaves class 0 out.
        weight: one weight >= 0 per class; the mean divides by their sum.
        ignore_index: pixels of this class do not count, in regions pixels of this value.
        reduction: ``none`` returns N x C, or C without ``per_sample``; without the background C - 1; ``mean`` or
            ``sum``.
        validate: whether to look for targets outside [0, C) or [0, 1] (on a GPU that waits for it).

    Example:
        >>> logits, mask = torch.full((1, 1, 4, 4), 100.0), torch.zeros(1, 1, 4, 4)
        >>> mask[..., :2] = 1  # the left half, where everything is predicted
        >>> DiceLoss(smooth=0.0)(logits, mask)  # 1 - 2 * 8 / (16 + 8)
        tensor(0.3333)
    """

    function = staticmethod(dice_loss)

    def __init__(
        self,
        *,
        smooth: float = 1.0,
        per_sample: bool = True,
        absent: Absent = "keep",
        include_background: bool = True,
        weight: ClassWeights = None,
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
            weight=as_weights("weight", weight),
            ignore_index=ignore_index,
            reduction=reduction,
            validate=validate,
        )


@full_precision
def tversky_loss(
    input: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 1.0,
    smooth: float = 1.0,
    per_sample: bool = True,
    absent: Absent = "keep",
    include_background: bool = True,
    weight: Tensor | None = None,
    ignore_index: int = IGNORE_INDEX,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`TverskyLoss`."""
    _check_options(smooth, absent)
    _check_tversky_options(alpha, beta, gamma)
    regions = soft_regions(input, target, per_sample, include_background, ignore_index, validate)
    weight = check_class_weights("weight", weight, input)
    shared, false_positive, false_negative = (
        regions.shared,
        regions.predicted - regions.shared,
        regions.true - regions.shared,
    )
    whole = shared + alpha * false_positive + beta * false_negative
    loss = power(1 - ratio(shared + smooth, whole + smooth, otherwise=1), gamma)
    loss, counts = count_classes(loss, regions.true > 0, regions.pixels > 0, absent, weight)
    return reduce(loss, reduction, weight=counts)


class TverskyLoss(RegionLoss):
    r"""Tversky loss, :math:`\left(1 - \frac{TP + s}{TP + \alpha FP + \beta FN + s}\right)^\gamma` (Salehi et al. 2017).

    :math:`TP = \sum p t`, :math:`FP = \sum p (1 - t)` and :math:`FN = \sum (1 - p) t` for each class. With
    :math:`\alpha = \beta = \frac12` it is :class:`DiceLoss` with twice the smoothing, and targets are the same two.

    Args:
        alpha: weight >= 0 of false positives.
        beta: weight >= 0 of false negatives; above ``alpha`` it favors recall, for small objects.
        gamma: exponent > 0, of the focal Tversky loss (Abraham and Khan 2019, where it is :math:`1/\gamma` = 0.75):
            below 1 it gives classes that are nearly right a larger share of the gradient, above 1 a smaller one.
        smooth: :math:`s` >= 0. See :class:`DiceLoss` for its effect on small regions.
        per_sample: one value for each sample and class; False takes the sums over the whole batch first.
        absent: how a class without a true pixel in the sample (or batch) counts: ``keep`` its value, ``skip`` it in
            the mean, or count it as ``zero``.
        include_background: False leaves class 0 out.
        weight: one weight >= 0 per class; the mean divides by their sum.
        ignore_index: pixels of this class do not count, in regions pixels of this value.
        reduction: ``none`` returns N x C, or C without ``per_sample``; without the background C - 1; ``mean`` or
            ``sum``.
        validate: whether to look for targets outside [0, C) or [0, 1] (on a GPU that waits for it).

    Example:
        >>> logits, mask = torch.full((1, 1, 4, 4), 100.0), torch.zeros(1, 1, 4, 4)
        >>> mask[..., :2] = 1  # the left half, where everything is predicted
        >>> TverskyLoss(alpha=0.25, beta=0.75, smooth=0.0)(logits, mask)  # 1 - 8 / (8 + 0.25 * 8)
        tensor(0.2000)
    """

    function = staticmethod(tversky_loss)

    def __init__(
        self,
        *,
        alpha: float = 0.3,
        beta: float = 0.7,
        gamma: float = 1.0,
        smooth: float = 1.0,
        per_sample: bool = True,
        absent: Absent = "keep",
        include_background: bool = True,
        weight: ClassWeights = None,
        ignore_index: int = IGNORE_INDEX,
        reduction: Reduction = "mean",
        validate: bool = True,
    ) -> None:
        _check_tversky_options(alpha, beta, gamma)
        _check_options(smooth, absent)
        super().__init__(
            alpha=alpha,
            beta=beta,
            gamma=gamma,
            smooth=smooth,
            per_sample=per_sample,
            absent=absent,
            include_background=include_background,
            weight=as_weights("weight", weight),
            ignore_index=ignore_index,
            reduction=reduction,
            validate=validate,
        )


@full_precision
def cross_entropy_dice_loss(
    input: Tensor,
    target: Tensor,
    *,
    cross_entropy_weight: float = 1.0,
    dice_weight: float = 1.0,
    smooth: float = 1.0,
    absent: Absent = "keep",
    include_background: bool = True,
    ignore_index: int = IGNORE_INDEX,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`CrossEntropyDiceLoss`."""
    _check_options(smooth, absent)
    _check_term_weights(cross_entropy_weight, dice_weight)
    regions = soft_regions(input, target, True, include_background, ignore_index, validate)
    dice, classes = count_classes(_dice(regions, smooth), regions.true > 0, regions.pixels > 0, absent)
    if target.shape == input.shape:
        pixels = target.to(input.dtype) != ignore_index
        cross_entropy = bce_with_logits_loss(input, target, mask=pixels, reduction="none", validate=False)
    else:
        pixels = target.long() != ignore_index
        cross_entropy = cross_entropy_loss(input, target, ignore_index=ignore_index, reduction="none", validate=False)
    return cross_entropy_weight * _over_samples(cross_entropy, pixels, reduction) + dice_weight * _over_samples(
        dice, classes, reduction
    )


class CrossEntropyDiceLoss(RegionLoss):
    """Cross-entropy plus Dice: the smooth gradients of the one, the balance of classes of the other (Taghanaki 2019).

    Both see the same pixels. For regions the cross-entropy is the binary one.

    Args:
        cross_entropy_weight: weight >= 0 of the cross-entropy, a mean over pixels.
        dice_weight: weight >= 0 of the Dice loss, a mean over classes.
        smooth: :math:`s` >= 0 of :class:`DiceLoss`.
        absent: how a class without a true pixel counts in the Dice term: ``keep``, ``skip`` or ``zero``.
        include_background: False leaves class 0 out of the Dice term.
        ignore_index: pixels of this class do not count.
        reduction: ``none`` returns N, each sample by itself; ``mean`` takes the cross-entropy over all pixels of the
            batch and Dice over all its samples and classes; ``sum`` is over the samples.
        validate: whether to look for targets outside their range (on a GPU that waits for it).

    Example:
        >>> logits, target = torch.zeros(1, 2, 1000), torch.arange(1000)[None] % 2
        >>> CrossEntropyDiceLoss()(logits, target)  # about log 2 + 1/2
        tensor(1.1926)
    """

    function = staticmethod(cross_entropy_dice_loss)

    def __init__(
        self,
        *,
        cross_entropy_weight: float = 1.0,
        dice_weight: float = 1.0,
        smooth: float = 1.0,
        absent: Absent = "keep",
        include_background: bool = True,
        ignore_index: int = IGNORE_INDEX,
        reduction: Reduction = "mean",
        validate: bool = True,
    ) -> None:
        _check_term_weights(cross_entropy_weight, dice_weight)
        _check_options(smooth, absent)
        super().__init__(
            cross_entropy_weight=cross_entropy_weight,
            dice_weight=dice_weight,
            smooth=smooth,
            absent=absent,
            include_background=include_background,
            ignore_index=ignore_index,
            reduction=reduction,
            validate=validate,
        )


def _dice(regions: Regions, smooth: float) -> Tensor:
    return 1 - ratio(2 * regions.shared + smooth, regions.predicted + regions.true + smooth, otherwise=1)


def _over_samples(values: Tensor, counts: Tensor, reduction: Reduction) -> Tensor:
    """Reduce a loss of N x ... that has a value per sample, the mean over what counts in it."""
    if reduction == "mean":
        return reduce(values, reduction, weight=counts)
    values, counts = (tensor.unsqueeze(-1).flatten(1).sum(1) for tensor in (values, counts))
    return reduce(ratio(values, counts.to(values.dtype), otherwise=0), reduction)


def _check_options(smooth: float, absent: Absent) -> None:
    check_number("smooth", smooth, at_least=0)
    check_choice("absent", absent, Absent)


def _check_tversky_options(alpha: float, beta: float, gamma: float) -> None:
    check_number("alpha", alpha, at_least=0)
    check_number("beta", beta, at_least=0)
    check_number("gamma", gamma, above=0)


def _check_term_weights(cross_entropy_weight: float, dice_weight: float) -> None:
    check_number("cross_entropy_weight", cross_entropy_weight, at_least=0)
    check_number("dice_weight", dice_weight, at_least=0)
