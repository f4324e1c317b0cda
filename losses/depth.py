"""Losses of maps of depth: by ratios, by the largest errors, and by edges."""

import torch
from torch import Tensor

from losses.convention import (
    Reduction,
    check_mask,
    check_number,
    check_same_shape,
    full_precision,
    ratio,
    reads_values,
    reduce,
)
from losses.regression import RegressionLoss


@full_precision
def silog_loss(
    input: Tensor,
    target: Tensor,
    *,
    variance_focus: float = 0.5,
    eps: float = 1e-3,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    """Functional form of :class:`SILogLoss`."""
    _check_silog_options(variance_focus, eps)
    known = _known(input, target, mask)
    target = torch.where(known, target, 1)
    if reads_values(validate, target) and not (target > 0).all():
        raise ValueError(f"target must be above 0, a depth, where the mask is True; got {target.min().item():g}")
    input = torch.where(known, input, 1)
    input = torch.where(input < eps, eps + (input - input.detach()), input)
    error = torch.where(known, input.log() - target.clamp_min(eps).log(), 0)
    error, known = (each.unsqueeze(-1).flatten(1) for each in (error, known))
    count = known.sum(1).to(error.dtype)
    mean = ratio(error.sum(1), count, otherwise=0)
    variance = ratio(torch.where(known, error - mean.unsqueeze(1), 0).square().sum(1), count, otherwise=0)
    return reduce(variance + (1 - variance_focus) * mean.square(), reduction, weight=count > 0)


class SILogLoss(RegressionLoss):
    r"""Scale-invariant log loss of depths, :math:`\frac1n \sum d^2 - \frac\lambda{n^2} (\sum d)^2` (Eigen et al. 2014).

    With :math:`d = \log x - \log y` it is the variance of d plus :math:`1 - \lambda` times the square of its mean: what
    counts are ratios, so near and far pixels are alike, and the scale of a whole picture may cost less than its shape.

    Args:
        variance_focus: :math:`\lambda` in [0, 1]: 0 is the squared error of the logarithm, and 1 the variance alone, to
            which the scale of a picture is nothing.
        eps: smaller depths are raised to this, > 0, in the unit of the target; the gradient of a prediction stays that
            of ``eps``, so that one of 0 or below can grow again.
        reduction: ``none`` returns N, each sample by itself; ``mean`` is over the samples with a known pixel; or
            ``sum``.
        validate: whether to look for known targets that are not above 0 (on a GPU that waits for it).

    Example:
        >>> near, far = torch.full((1, 1, 4, 4), 2.0), torch.full((1, 1, 4, 4), 4.0)
        >>> SILogLoss(variance_focus=0.0)(near, far)  # the square of log 2
        tensor(0.4805)
        >>> SILogLoss(variance_focus=1.0)(near, far)
        tensor(0.)
    """

    function = staticmethod(silog_loss)

    def __init__(
        self,
        *,
        variance_focus: float = 0.5,
        eps: float = 1e-3,
        reduction: Reduction = "mean",
        validate: bool = True,
    ) -> None:
        _check_silog_options(variance_focus, eps)
        super().__init__(variance_focus=variance_focus, eps=eps, reduction=reduction, validate=validate)


@full_precision
def berhu_loss(
    input: Tensor,
    target: Tensor,
    *,
    fraction: float = 0.2,
    threshold: float | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`BerHuLoss`."""
    _check_berhu_options(fraction, threshold)
    check_same_shape(input, target)
    mask = check_mask(mask, input)
    distance = (input - target).abs()
    if mask is not None:
        distance = torch.where(mask, distance, 0)
    if threshold is not None:
        limit = distance.new_full((), threshold)
    else:
        limit = fraction * (distance.detach().max() if distance.numel() else distance.new_zeros(()))
    beyond = ratio(distance.square() + limit.square(), 2 * limit, otherwise=0)
    return reduce(torch.where(distance <= limit, distance, beyond), reduction, weight=mask)


class BerHuLoss(RegressionLoss):
    r"""Reverse Huber loss: :math:`|e|` up to :math:`|e| = c`, then :math:`(e^2 + c^2) / 2c` (Laina et al. 2016).

    Small errors pull as hard as those of :class:`L1Loss`, and large ones harder. Value and slope have no jump at c.

    Args:
        fraction: c is this part, > 0, of the largest error in the batch, which takes no gradient. From 1 on it is
            :class:`L1Loss`.
        threshold: c itself, > 0, in the unit of the target, in place of a fraction.
        reduction: ``none`` keeps the shape, ``mean`` or ``sum``.

    Example:
        >>> BerHuLoss(reduction="none")(torch.tensor([1.0, 10.0]), torch.zeros(2))  # c is 2, and 26 is 104 / 4
        tensor([ 1., 26.])
    """

    likelihood = "laplace"
    function = staticmethod(berhu_loss)

    def __init__(self, *, fraction: float = 0.2, threshold: float | None = None, reduction: Reduction = "mean") -> None:
        _check_berhu_options(fraction, threshold)
        super().__init__(fraction=fraction, threshold=threshold, reduction=reduction)


@full_precision
def gradient_matching_loss(
    input: Tensor,
    target: Tensor,
    *,
    scales: int = 4,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`GradientMatchingLoss`."""
    check_number("scales", scales, at_least=1)
    known = _known(input, target, mask)
    if input.dim() < 3:
        raise ValueError(f"input must have the shape N x ... x H x W; got {tuple(input.shape)}")
    error = torch.where(known, input - target, 0)
    any_known = known.flatten(1).any(1)
    total = error.new_zeros(len(error))
    for _ in range(scales):
        rows, columns = known[..., 1:, :] & known[..., :-1, :], known[..., 1:] & known[..., :-1]
        down, right = error.diff(dim=-2).abs(), error.diff(dim=-1).abs()
        slopes = _of_samples(torch.where(rows, down, 0)) + _of_samples(torch.where(columns, right, 0))
        total = total + ratio(slopes, _of_samples(known.to(error.dtype)), otherwise=0)
        error, known = error[..., ::2, ::2], known[..., ::2, ::2]
    return reduce(total, reduction, weight=any_known)


class GradientMatchingLoss(RegressionLoss):
    r"""Differences of errors next to each other, :math:`\sum_k \frac1{n_k} \sum |\nabla_x e| + |\nabla_y e|` at scales.

    It asks for sharp edges at the right places and smooth surfaces between (Li and Snavely 2018, on logarithms of
    depth; Ranftl et al. 2020). Scale k takes every :math:`2^k`-th row and column, of which :math:`n_k` elements are
    known; neighbors count if both are. A constant added to a picture costs nothing: add this to a loss that sees it, as
    with :class:`SumLoss`. Pictures of colors have edges, too: with one scale this is the L1 loss of their gradients.

    Args:
        scales: how many, at least 1: the first is the picture itself, and each has half the rows and columns of the one
            before. Those of one pixel have no neighbors, and cost nothing.
        reduction: ``none`` returns N, each sample by itself; ``mean`` is over the samples with a known element; or
            ``sum``.

    Example:
        >>> step = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])  # of which the prediction sees nothing
        >>> GradientMatchingLoss(scales=1)(torch.zeros(1, 1, 1, 4), step)  # one difference of 1, and four pixels
        tensor(0.2500)
    """

    likelihood = "laplace"
    function = staticmethod(gradient_matching_loss)

    def __init__(self, *, scales: int = 4, reduction: Reduction = "mean") -> None:
        check_number("scales", scales, at_least=1)
        super().__init__(scales=scales, reduction=reduction)


def _known(input: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
    """Where the truth is known, in the shape of ``input``, whose first dimension is that of the samples."""
    check_same_shape(input, target)
    if not input.dim():
        raise ValueError(f"input must have the shape N x ...; got {tuple(input.shape)}")
    mask = check_mask(mask, input)
    return torch.ones_like(input, dtype=torch.bool) if mask is None else mask


def _of_samples(values: Tensor) -> Tensor:
    """The sum of each sample."""
    return values.flatten(1).sum(1)


def _check_silog_options(variance_focus: float, eps: float) -> None:
    check_number("variance_focus", variance_focus, at_least=0, at_most=1)
    check_number("eps", eps, above=0)


def _check_berhu_options(fraction: float, threshold: float | None) -> None:
    check_number("fraction", fraction, above=0)
    if threshold is not None:
        check_number("threshold", threshold, above=0)
