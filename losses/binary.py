"""Losses of binary classification: one label, or several independent ones."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.convention import (
    ClassWeights,
    Loss,
    Reduction,
    as_weights,
    check_choice,
    check_mask,
    check_number,
    check_same_shape,
    full_precision,
    power,
    reads_values,
    reduce,
)

Normalizer = Literal["elements", "positives"]
LabelReduction = Literal["mean", "sum"]


class BinaryLoss(Loss):
    """Base of the losses of binary logits, which differ in their function and its options."""

    likelihood = "categorical"

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Compute the loss of logits against binary targets.

        Args:
            input: logits, any shape, floating point.
            target: probability of the positive class in [0, 1], same shape; boolean, integer or floating point.
            mask: boolean, True where the truth is known; same shape, or N x 1 x ... for all channels.

        Returns:
            The loss, >= 0, in at least float32. The mean is over the elements whose truth is known, and 0 without any.

        Raises:
            TypeError: ``mask`` is not boolean.
            ValueError: shapes do not fit, or a target is outside [0, 1].
        """
        return self.function(input, target, mask=mask, **self.options)


@full_precision
def bce_with_logits_loss(
    input: Tensor,
    target: Tensor,
    *,
    pos_weight: Tensor | float | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`BCEWithLogitsLoss`."""
    mask = check_mask(mask, input)
    target = _check_probabilities(input, target, mask, validate)
    pos_weight = _as_channels(pos_weight, input)
    loss = F.binary_cross_entropy_with_logits(input, target, pos_weight=pos_weight, reduction="none")
    return reduce(loss if mask is None else torch.where(mask, loss, 0), reduction, weight=mask)


class BCEWithLogitsLoss(BinaryLoss):
    r"""Binary cross-entropy of logits, :math:`-w\,y \log\sigma(x) - (1 - y) \log(1 - \sigma(x))`.

    A logit of 0 costs log 2.

    Args:
        pos_weight: weight :math:`w` >= 0 of the positive class: one number, or one for each of the C channels of inputs
            N x C x .... Above 1 it favors recall.
        reduction: ``none`` keeps the shape, ``mean`` or ``sum``.
        validate: whether to look for targets outside [0, 1] (on a GPU that waits for it).

    Example:
        >>> logits, target = torch.zeros(2, 3), torch.tensor([[1, 0, 0], [0, 1, 0]])
        >>> BCEWithLogitsLoss()(logits, target)
        tensor(0.6931)
        >>> BCEWithLogitsLoss(pos_weight=[3.0, 1.0, 1.0], reduction="none")(logits, target)
        tensor([[2.0794, 0.6931, 0.6931],
                [0.6931, 0.6931, 0.6931]])
    """

    function = staticmethod(bce_with_logits_loss)

    def __init__(
        self, *, pos_weight: ClassWeights | float = None, reduction: Reduction = "mean", validate: bool = True
    ) -> None:
        super().__init__(
            pos_weight=as_weights("pos_weight", pos_weight, scalar=True), reduction=reduction, validate=validate
        )


@full_precision
def bce_from_probs(
    input: Tensor, target: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean", validate: bool = True
) -> Tensor:
    """Functional form of :class:`BCEFromProbs`."""
    mask = check_mask(mask, input)
    if mask is not None:
        input = torch.where(mask, input, 0.5)
    if reads_values(validate, input) and not ((input >= 0) & (input <= 1)).all():
        raise ValueError(
            f"input must be in [0, 1], a probability; got {input.min().item():g} to {input.max().item():g}. "
            "For logits use bce_with_logits_loss"
        )
    target = _check_probabilities(input, target, mask, validate)
    loss = F.binary_cross_entropy(input, target, reduction="none")
    return reduce(loss if mask is None else torch.where(mask, loss, 0), reduction, weight=mask)


class BCEFromProbs(Loss):
    r"""Binary cross-entropy of probabilities, :math:`-y \log p - (1 - y) \log(1 - p)`, with logarithms >= -100.

    For networks that end in a sigmoid and cannot be changed. Logits with :class:`BCEWithLogitsLoss` are better: in
    float32 a sigmoid is exactly 1 from a logit of 17 on, where its gradient is lost. Unlike torch's ``BCELoss`` it runs
    under autocast on a GPU.

    Args:
        reduction: ``none`` keeps the shape, ``mean`` or ``sum``.
        validate: whether to look for values outside [0, 1] (on a GPU that waits for it).

    Example:
        >>> BCEFromProbs(reduction="none")(torch.tensor([0.5, 0.0]), torch.ones(2))
        tensor([  0.6931, 100.0000])
    """

    likelihood = "categorical"

    def __init__(self, *, reduction: Reduction = "mean", validate: bool = True) -> None:
        super().__init__(reduction=reduction, validate=validate)

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Compute the loss of probabilities against binary targets.

        Args:
            input: probabilities of the positive class in [0, 1], any shape, floating point.
            target: probability of the positive class in [0, 1], same shape; boolean, integer or floating point.
            mask: boolean, True where the truth is known; same shape, or N x 1 x ... for all channels.

        Returns:
            The loss, in [0, 100], in at least float32. The mean is over the elements whose truth is known, and 0
            without any.

        Raises:
            TypeError: ``mask`` is not boolean.
            ValueError: shapes do not fit, or ``input`` or ``target`` is outside [0, 1].
        """
        return bce_from_probs(input, target, mask=mask, **self.options)


@full_precision
def binary_focal_loss(
    input: Tensor,
    target: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    normalizer: Normalizer = "elements",
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`BinaryFocalLoss`."""
    _check_binary_focal_options(gamma, alpha, normalizer)
    mask = check_mask(mask, input)
    target = _check_probabilities(input, target, mask, validate)
    cross_entropy = F.binary_cross_entropy_with_logits(input, target, reduction="none")
    miss = target * torch.sigmoid(-input) + (1 - target) * torch.sigmoid(input)  # 1 - p_t, with all its digits
    loss = power(miss, gamma) * cross_entropy
    if alpha is not None:
        loss = (alpha * target + (1 - alpha) * (1 - target)) * loss
    if mask is not None:
        loss, target = torch.where(mask, loss, 0), torch.where(mask, target, 0)
    if normalizer == "positives" and reduction == "mean":
        return loss.sum() / target.sum().clamp_min(1)
    return reduce(loss, reduction, weight=mask)


class BinaryFocalLoss(BinaryLoss):
    r"""RetinaNet's focal loss of the sigmoid of logits, :math:`-\alpha_t (1 - p_t)^\gamma \log p_t` (Lin et al. 2017).

    :math:`p_t` is the probability of what is true, :math:`\alpha_t` is ``alpha`` for positives and ``1 - alpha`` for
    negatives.

    Args:
        gamma: how strongly easy elements are down-weighted, >= 0.
        alpha: weight of positives in [0, 1], or None for no weights. The paper's 0.25 goes with its gamma of 2.
        normalizer: what ``mean`` divides by: the number of ``elements`` that count, or as in the paper of
            ``positives``, at least 1.
        reduction: ``none`` keeps the shape, ``mean`` or ``sum``.
        validate: whether to look for targets outside [0, 1] (on a GPU that waits for it).

    Example:
        >>> logits, target = torch.tensor([-2.0, 0.0, 2.0]), torch.tensor([0, 1, 1])
        >>> BinaryFocalLoss(alpha=None, reduction="none")(logits, target)
        tensor([0.0018, 0.1733, 0.0018])
    """

    function = staticmethod(binary_focal_loss)

    def __init__(
        self,
        *,
        gamma: float = 2.0,
        alpha: float | None = 0.25,
        normalizer: Normalizer = "elements",
        reduction: Reduction = "mean",
        validate: bool = True,
    ) -> None:
        _check_binary_focal_options(gamma, alpha, normalizer)
        super().__init__(gamma=gamma, alpha=alpha, normalizer=normalizer, reduction=reduction, validate=validate)


@full_precision
def multi_label_loss(
    input: Tensor,
    target: Tensor,
    *,
    labels: LabelReduction = "mean",
    pos_weight: Tensor | float | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`MultiLabelLoss`."""
    check_choice("labels", labels, LabelReduction)
    check_same_shape(input, target)
    if input.dim() != 2:
        raise ValueError(f"input must have the shape N x L; got {tuple(input.shape)}")
    mask = check_mask(mask, input)
    loss = bce_with_logits_loss(
        input, target, pos_weight=pos_weight, mask=mask, reduction="none", validate=validate
    ).sum(1)
    known = (torch.ones_like(input) if mask is None else mask).sum(1)
    return reduce(loss / known.clamp_min(1) if labels == "mean" else loss, reduction, weight=known > 0)


class MultiLabelLoss(Loss):
    """Binary cross-entropy of several labels per sample, any number of which may be true.

    Args:
        labels: a sample's loss is the ``mean`` or the ``sum`` over its labels. The sum's gradient does not shrink with
            the number of labels.
        pos_weight: weight >= 0 of the positive class, one number or one for each label.
        reduction: ``none`` returns N, one loss per sample; ``mean`` is over samples that have a known label; or
            ``sum``.
        validate: whether to look for targets outside [0, 1] (on a GPU that waits for it).

    Example:
        >>> logits, target = torch.zeros(2, 3), torch.tensor([[1, 0, 1], [0, 0, 0]])
        >>> MultiLabelLoss(labels="sum")(logits, target)  # 3 log 2
        tensor(2.0794)
    """

    likelihood = "categorical"

    def __init__(
        self,
        *,
        labels: LabelReduction = "mean",
        pos_weight: ClassWeights | float = None,
        reduction: Reduction = "mean",
        validate: bool = True,
    ) -> None:
        check_choice("labels", labels, LabelReduction)
        super().__init__(
            labels=labels,
            pos_weight=as_weights("pos_weight", pos_weight, scalar=True),
            reduction=reduction,
            validate=validate,
        )

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Compute the loss of logits against the labels.

        Args:
            input: logits, N x L, floating point.
            target: which labels are true, N x L, in [0, 1]; boolean, integer or floating point.
            mask: boolean, N x L, True where the label is known; or N x 1. A sample's mean is over these.

        Returns:
            The loss, >= 0, in at least float32. No samples, or none with a known label: 0.

        Raises:
            TypeError: ``mask`` is not boolean.
            ValueError: shapes differ or are not N x L, or a target is outside [0, 1].
        """
        return multi_label_loss(input, target, mask=mask, **self.options)


def _check_probabilities(input: Tensor, target: Tensor, mask: Tensor | None, validate: bool) -> Tensor:
    """Return ``target`` in the dtype of ``input``, 0 where ``mask`` is False, after checking that it is in [0, 1]."""
    check_same_shape(input, target)
    target = target.to(input.dtype)
    if mask is not None:
        target = torch.where(mask, target, 0)
    if reads_values(validate, target) and not ((target >= 0) & (target <= 1)).all():
        raise ValueError(
            f"target must be in [0, 1], a probability; got {target.min().item():g} to {target.max().item():g}"
        )
    return target


def _as_channels(pos_weight: Tensor | float | None, input: Tensor) -> Tensor | None:
    """Return ``pos_weight`` so that it broadcasts over the channels of ``input``, dimension 1, not over its last."""
    if pos_weight is None:
        return None
    if not isinstance(pos_weight, Tensor):
        check_number("pos_weight", pos_weight, at_least=0)
        return torch.full((), pos_weight, dtype=input.dtype, device=input.device)
    if pos_weight.numel() == 1:
        return pos_weight.reshape(())
    if pos_weight.shape != input.shape[1:2]:
        raise ValueError(
            f"pos_weight must be one number, or hold one weight per class of the input, whose shape is "
            f"{tuple(input.shape)}; got the shape {tuple(pos_weight.shape)}"
        )
    return pos_weight.view(-1, *[1] * (input.dim() - 2))


def _check_binary_focal_options(gamma: float, alpha: float | None, normalizer: Normalizer) -> None:
    check_number("gamma", gamma, at_least=0)
    if alpha is not None:
        check_number("alpha", alpha, at_least=0, at_most=1)
    check_choice("normalizer", normalizer, Normalizer)
