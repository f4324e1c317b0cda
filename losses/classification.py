"""Losses of classification into one of C classes, from logits."""

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.convention import (
    IGNORE_INDEX,
    ClassWeights,
    Loss,
    Reduction,
    as_weights,
    check_class_weights,
    check_classes,
    check_number,
    check_same_shape,
    full_precision,
    power,
    reads_values,
    reduce,
)


class ClassLoss(Loss):
    """Base of the losses of classes, which differ in their function and its options."""

    likelihood = "categorical"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits against the classes.

        Args:
            input: logits, N x C x ..., floating point.
            target: classes in [0, C), integer, N x ....

        Returns:
            The loss, >= 0, in at least float32. All ignored, or no elements: 0.

        Raises:
            ValueError: shapes do not fit, or a class is outside [0, C).
        """
        return self.function(input, target, **self.options)


@full_precision
def cross_entropy_loss(
    input: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    ignore_index: int = IGNORE_INDEX,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`CrossEntropyLoss`."""
    check_number("label_smoothing", label_smoothing, at_least=0, at_most=1)
    of_probabilities = target.is_floating_point()
    if of_probabilities:
        _check_probabilities(input, target, validate)
    else:
        target = check_classes(input, target, ignore_index, validate)
    weight = check_class_weights("weight", weight, input)
    if of_probabilities:
        loss = F.cross_entropy(input, target, weight, reduction="none", label_smoothing=label_smoothing)
        return reduce(loss, reduction)
    loss = of_elements(input, target, ignore_index, weight, label_smoothing)
    valid = target != ignore_index
    if weight is None:
        return reduce(loss, reduction, weight=valid)
    return reduce(loss, reduction, weight=weight[torch.where(valid, target, 0)] * valid)


class CrossEntropyLoss(Loss):
    r"""Cross-entropy of the softmax of logits, :math:`-w_y \log p_y` with :math:`p = \mathrm{softmax}(x)`.

    With label smoothing :math:`\varepsilon` the target of the true class is :math:`1 - \varepsilon + \varepsilon/C` and
    that of any other :math:`\varepsilon/C` (Szegedy et al. 2016). Equal logits cost log C.

    Args:
        weight: one weight >= 0 per class.
        ignore_index: elements of this class do not count. If it is a real class (0, say), that class stays in the
            softmax of the other elements. Not used with probabilities.
        label_smoothing: :math:`\varepsilon` in [0, 1]. An infinite logit then costs an infinite loss.
        reduction: ``none`` returns N x ...; ``mean`` divides by the sum of the weights of the elements that count (with
            probabilities by the number of elements, as torch does); or ``sum``.
        validate: whether to look for classes outside [0, C), which on a GPU end in a device-side assertion, and for
            targets that are not probabilities (on a GPU that waits for it).

    Example:
        >>> logits, target = torch.zeros(2, 3, 8, 8), torch.full((2, 8, 8), 2)
        >>> target[0] = 255  # a picture without labels
        >>> CrossEntropyLoss(ignore_index=255)(logits, target)  # log 3
        tensor(1.0986)
    """

    likelihood = "categorical"

    def __init__(
        self,
        *,
        weight: ClassWeights = None,
        ignore_index: int = IGNORE_INDEX,
        label_smoothing: float = 0.0,
        reduction: Reduction = "mean",
        validate: bool = True,
    ) -> None:
        check_number("label_smoothing", label_smoothing, at_least=0, at_most=1)
        super().__init__(
            weight=as_weights("weight", weight),
            ignore_index=ignore_index,
            label_smoothing=label_smoothing,
            reduction=reduction,
            validate=validate,
        )

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the loss of logits against the classes.

        Args:
            input: logits, N x C x ..., floating point.
            target: classes in [0, C), integer, N x ...; or probabilities of the classes, floating point, N x C x ....

        Returns:
            The loss, >= 0, in at least float32. All ignored, or no elements: 0.

        Raises:
            ValueError: shapes do not fit, a class is outside [0, C), or probabilities are negative or do not add up
                to 1.
        """
        return cross_entropy_loss(input, target, **self.options)


@full_precision
def focal_loss(
    input: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: Tensor | None = None,
    ignore_index: int = IGNORE_INDEX,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`FocalLoss`."""
    check_number("gamma", gamma, at_least=0)
    target = check_classes(input, target, ignore_index, validate)
    alpha = check_class_weights("alpha", alpha, input)
    # Class weights inside the cross-entropy would make exp(-ce) something other than p_y.
    cross_entropy = of_elements(input, target, ignore_index)
    loss = power(-torch.expm1(-cross_entropy), gamma) * cross_entropy
    valid = target != ignore_index
    if alpha is not None:
        loss = alpha[torch.where(valid, target, 0)] * loss
    return reduce(loss, reduction, weight=valid)


class FocalLoss(ClassLoss):
    r"""Focal loss of the softmax of logits, :math:`-\alpha_y (1 - p_y)^\gamma \log p_y` (Lin et al. 2017).

    Elements that are already classified well (:math:`p_y` near 1) cost next to nothing, so that many easy ones do not
    outweigh a few hard ones. Equal logits cost :math:`(1 - 1/C)^\gamma \log C`.

    Args:
        gamma: how strongly easy elements are down-weighted, >= 0; 0 is :class:`CrossEntropyLoss`.
        alpha: one weight >= 0 per class. (One number for all classes would only scale the loss.)
        ignore_index: elements of this class do not count.
        reduction: ``none`` returns N x ...; ``mean`` divides by the number of elements that count, whatever their
            ``alpha``; or ``sum``.
        validate: whether to look for classes outside [0, C) (on a GPU that waits for it).

    Example:
        >>> logits, target = torch.tensor([[2.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 0])
        >>> FocalLoss(reduction="none")(logits, target)  # an easy one and a hard one
        tensor([0.0018, 0.1733])
        >>> FocalLoss(alpha=[1.0, 5.0])(logits, 1 - target)
        tensor(4.5584)
    """

    function = staticmethod(focal_loss)

    def __init__(
        self,
        *,
        gamma: float = 2.0,
        alpha: ClassWeights = None,
        ignore_index: int = IGNORE_INDEX,
        reduction: Reduction = "mean",
        validate: bool = True,
    ) -> None:
        check_number("gamma", gamma, at_least=0)
        super().__init__(
            gamma=gamma,
            alpha=as_weights("alpha", alpha),
            ignore_index=ignore_index,
            reduction=reduction,
            validate=validate,
        )


@full_precision
def kl_div_with_logits_loss(
    input: Tensor, target: Tensor, *, temperature: float = 1.0, rescale: bool = True, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`KLDivWithLogitsLoss`."""
    check_number("temperature", temperature, above=0)
    check_same_shape(input, target)
    if input.dim() < 2:
        raise ValueError(f"input must have the shape N x C x ...; got {tuple(input.shape)}")
    log_p, log_q = (F.log_softmax(logits / temperature, dim=1) for logits in (input, target))
    divergence = F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(1)
    return reduce(divergence * temperature**2 if rescale else divergence, reduction)


class KLDivWithLogitsLoss(Loss):
    r"""Kullback-Leibler divergence of two distributions given as logits, :math:`\sum_c q_c (\log q_c - \log p_c)`.

    With :math:`p = \mathrm{softmax}(x / T)` of the input and :math:`q = \mathrm{softmax}(y / T)` of the target: the
    distillation of a student (input) from a teacher (target), Hinton et al. 2015. It is not symmetric.

    Args:
        temperature: :math:`T` > 0; above 1 it shows more of the small probabilities.
        rescale: multiply by :math:`T^2`, so that gradients keep their size whatever :math:`T` is.
        reduction: ``none`` returns N x ..., the divergences; ``mean`` is over these (for N x C torch's ``batchmean``;
            its ``mean`` divides by C once more); or ``sum``.

    Example:
        >>> student, teacher = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]])
        >>> KLDivWithLogitsLoss()(student, teacher), KLDivWithLogitsLoss()(teacher, student)
        (tensor(0.4338), tensor(0.3278))
    """

    likelihood = "categorical"

    def __init__(self, *, temperature: float = 1.0, rescale: bool = True, reduction: Reduction = "mean") -> None:
        check_number("temperature", temperature, above=0)
        super().__init__(temperature=temperature, rescale=rescale, reduction=reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compute the divergence of the student's distribution from the teacher's.

        Args:
            input: logits of the distribution to train, N x C x ..., floating point.
            target: logits of the distribution to reach, same shape. It takes a gradient, too: detach a teacher's.

        Returns:
            The divergence, >= 0, in at least float32; 0 for equal distributions. The mean of nothing is 0.

        Raises:
            ValueError: shapes differ, or there is no class dimension.
        """
        return kl_div_with_logits_loss(input, target, **self.options)


@full_precision
def probability_l1_loss(
    input: Tensor,
    target: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`ProbabilityL1Loss`."""
    target = check_classes(input, target, ignore_index, validate)
    cross_entropy = of_elements(input, target, ignore_index)
    return reduce(-2 * torch.expm1(-cross_entropy), reduction, weight=target != ignore_index)


class ProbabilityL1Loss(ClassLoss):
    r"""L1 distance of the class probabilities and the one-hot label, :math:`\sum_c |p_c - [c = y]| = 2(1 - p_y)`.

    Wrong labels cost at most 2, however confident the network is, so it is robust to label noise (Ghosh et al.
    2017); for the same reason it learns slowly from scratch.

    Args:
        ignore_index: elements of this class do not count.
        reduction: ``none`` returns N x ...; ``mean`` is over the elements that count; or ``sum``.
        validate: whether to look for classes outside [0, C) (on a GPU that waits for it).

    Example:
        >>> ProbabilityL1Loss(reduction="none")(torch.tensor([[0.0, 0.0], [100.0, 0.0]]), torch.tensor([0, 1]))
        tensor([1., 2.])
    """

    function = staticmethod(probability_l1_loss)

    def __init__(
        self, *, ignore_index: int = IGNORE_INDEX, reduction: Reduction = "mean", validate: bool = True
    ) -> None:
        super().__init__(ignore_index=ignore_index, reduction=reduction, validate=validate)


def _check_probabilities(input: Tensor, target: Tensor, validate: bool) -> None:
    """Require targets to be distributions over the classes: other targets have a loss without a lower bound."""
    check_same_shape(input, target, "input and target probabilities")
    if not (reads_values(validate, target) and target.numel()):
        return
    lowest, sums = target.min(), target.sum(1)
    if not ((lowest >= 0) & ((sums - 1).abs() < 1e-2).all()):  # the sum of a thousand bfloat16 is 0.4 % off
        got = f"{lowest.item():g}" if not lowest >= 0 else f"sums from {sums.min().item():g} to {sums.max().item():g}"
        raise ValueError(f"target must be probabilities >= 0 that add up to 1 over the classes; got {got}")


def of_elements(
    input: Tensor, target: Tensor, ignore_index: int, weight: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Compute the cross-entropy of each element, also with deterministic algorithms on CUDA.

    There torch refuses it for pictures and not for rows, so pictures are turned into a row for each pixel.

    Args:
        input: logits, N x C x ....
        target: classes, N x ....
        ignore_index: elements of this class cost 0.
        weight: one for each class.
        label_smoothing: in [0, 1].
    """
    logits, classes = input, target
    if input.is_cuda and input.dim() > 2 and torch.are_deterministic_algorithms_enabled():
        logits, classes = input.movedim(1, -1).flatten(0, -2), target.flatten()
    loss = F.cross_entropy(
        logits, classes, weight, ignore_index=ignore_index, reduction="none", label_smoothing=label_smoothing
    )
    return loss.view(target.shape)
