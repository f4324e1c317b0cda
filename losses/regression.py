"""Regression losses: what it costs to be off by :math:`e = x - y`."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.convention import (
    Loss,
    Reduction,
    check_choice,
    check_mask,
    check_number,
    check_same_shape,
    full_precision,
    reads_values,
    reduce,
)


@full_precision
def mse_loss(input: Tensor, target: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean") -> Tensor:
    r"""Mean squared error, :math:`e^2` with :math:`e = x - y`: its best constant is the mean, so outliers pull hard.

    Args:
        input: predictions, any shape, floating point.
        target: truth, same shape as ``input``.
        mask: boolean, same shape: True where the truth is known. Elsewhere the loss and its gradient are 0, whatever
            ``target`` holds there, NaN too; the mean is over the elements that are left.
        reduction: ``"none"`` keeps the shape; ``"mean"`` and ``"sum"`` give a scalar. The mean of nothing is 0.

    Returns:
        The loss, >= 0, in float32 (float64 for float64 tensors), also under autocast.

    Raises:
        ValueError: shapes differ, or ``reduction`` is unknown.
    """
    error, mask = _error(input, target, mask)
    return reduce(error.square(), reduction, weight=mask)


class MSELoss(Loss):
    """Module form of :func:`mse_loss`."""

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """See :func:`mse_loss`."""
        return mse_loss(input, target, mask=mask, **self.options)


@full_precision
def l1_loss(input: Tensor, target: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean") -> Tensor:
    r"""Mean absolute error (MAE), :math:`|e|`: its best constant is the median, so outliers hardly matter.

    The gradient at :math:`e = 0` is 0.

    Args:
        input: predictions, any shape, floating point.
        target: truth, same shape as ``input``.
        mask: boolean, same shape: True where the truth is known; only these elements count.
        reduction: ``"none"`` keeps the shape; ``"mean"`` and ``"sum"`` give a scalar. The mean of nothing is 0.

    Returns:
        The loss, >= 0, in float32 (float64 for float64 tensors), also under autocast.

    Raises:
        ValueError: shapes differ, or ``reduction`` is unknown.
    """
    error, mask = _error(input, target, mask)
    return reduce(error.abs(), reduction, weight=mask)


class L1Loss(Loss):
    """Module form of :func:`l1_loss`."""

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """See :func:`l1_loss`."""
        return l1_loss(input, target, mask=mask, **self.options)


@full_precision
def rmse_loss(input: Tensor, target: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean") -> Tensor:
    r"""Root mean squared error, :math:`\sqrt{\mathrm{mean}(e^2)}`: the error in the unit of the target.

    The root is taken last: ``"sum"`` gives :math:`\sqrt{\sum e^2}` and ``"none"`` :math:`\sqrt{e^2} = |e|`. At a
    perfect fit value and gradient are exactly 0 (the root of a mean has the gradient NaN there, and a constant under
    the root changes the value). The mean of the RMSEs of several batches, or processes, is not the RMSE of all.

    Args:
        input: predictions, any shape, floating point.
        target: truth, same shape as ``input``.
        mask: boolean, same shape: True where the truth is known; only these elements count.
        reduction: ``"none"`` keeps the shape; ``"mean"`` and ``"sum"`` give a scalar. The mean of nothing is 0.

    Returns:
        The loss, >= 0, in float32 (float64 for float64 tensors), also under autocast.

    Raises:
        ValueError: shapes differ, or ``reduction`` is unknown.
    """
    check_choice("reduction", reduction, Reduction)
    error, mask = _error(input, target, mask)
    if reduction == "none":
        return error.abs()
    norm = torch.linalg.vector_norm(error)
    count = (torch.ones_like(error) if mask is None else mask).sum()
    return norm if reduction == "sum" else norm / count.clamp_min(1).sqrt()


class RMSELoss(Loss):
    """Module form of :func:`rmse_loss`."""

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """See :func:`rmse_loss`."""
        return rmse_loss(input, target, mask=mask, **self.options)


@full_precision
def huber_loss(
    input: Tensor,
    target: Tensor,
    *,
    delta: float = 1.0,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Huber loss, :math:`\frac12 e^2` up to :math:`|e| = \delta`, then :math:`\delta(|e| - \frac12\delta)` (1964).

    It is :math:`\delta` times :func:`smooth_l1_loss` with ``beta`` = :math:`\delta`: the two are the same at 1 only.

    Args:
        input: predictions, any shape, floating point.
        target: truth, same shape as ``input``.
        delta: the error from which on the loss is linear, > 0; errors beyond it count as outliers.
        mask: boolean, same shape: True where the truth is known; only these elements count.
        reduction: ``"none"`` keeps the shape; ``"mean"`` and ``"sum"`` give a scalar. The mean of nothing is 0.

    Returns:
        The loss, >= 0, in float32 (float64 for float64 tensors), also under autocast.

    Raises:
        ValueError: shapes differ, ``delta`` is not above 0, or ``reduction`` is unknown.
    """
    check_number("delta", delta, above=0)
    error, mask = _error(input, target, mask)
    return reduce(F.huber_loss(error, torch.zeros_like(error), "none", delta), reduction, weight=mask)


class HuberLoss(Loss):
    """Module form of :func:`huber_loss`."""

    def __init__(self, *, delta: float = 1.0, reduction: Reduction = "mean") -> None:
        check_number("delta", delta, above=0)
        super().__init__(delta=delta, reduction=reduction)

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """See :func:`huber_loss`."""
        return huber_loss(input, target, mask=mask, **self.options)


@full_precision
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    *,
    beta: float = 1.0,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Smooth L1 loss: :math:`e^2 / 2\beta` up to :math:`|e| = \beta`, then :math:`|e| - \frac12\beta` (Girshick 2015).

    Its slope far away is 1 whatever ``beta`` is, where that of :func:`huber_loss` is ``delta``.

    Args:
        input: predictions, any shape, floating point.
        target: truth, same shape as ``input``.
        beta: the error from which on the loss is linear, >= 0; 0 gives :func:`l1_loss`.
        mask: boolean, same shape: True where the truth is known; only these elements count.
        reduction: ``"none"`` keeps the shape; ``"mean"`` and ``"sum"`` give a scalar. The mean of nothing is 0.

    Returns:
        The loss, >= 0, in float32 (float64 for float64 tensors), also under autocast.

    Raises:
        ValueError: shapes differ, ``beta`` is negative, or ``reduction`` is unknown.
    """
    check_number("beta", beta, at_least=0)
    error, mask = _error(input, target, mask)
    return reduce(F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=beta), reduction, weight=mask)


class SmoothL1Loss(Loss):
    """Module form of :func:`smooth_l1_loss`."""

    def __init__(self, *, beta: float = 1.0, reduction: Reduction = "mean") -> None:
        check_number("beta", beta, at_least=0)
        super().__init__(beta=beta, reduction=reduction)

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """See :func:`smooth_l1_loss`."""
        return smooth_l1_loss(input, target, mask=mask, **self.options)


@full_precision
def log_cosh_loss(
    input: Tensor, target: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    r"""Log-cosh loss, :math:`\log\cosh e`: quadratic near zero, linear far away, twice differentiable everywhere.

    It comes near :math:`\frac12 e^2` for small errors and :math:`|e| - \log 2` for large ones, keeps all digits of
    either, and its second derivative at 0 is 1.

    Args:
        input: predictions, any shape, floating point.
        target: truth, same shape as ``input``.
        mask: boolean, same shape: True where the truth is known; only these elements count.
        reduction: ``"none"`` keeps the shape; ``"mean"`` and ``"sum"`` give a scalar. The mean of nothing is 0.

    Returns:
        The loss, >= 0, in float32 (float64 for float64 tensors), also under autocast.

    Raises:
        ValueError: shapes differ, or ``reduction`` is unknown.
    """
    error, mask = _error(input, target, mask)
    distance = error.abs()
    near = 0.5 * torch.sinh(error.clamp(-1, 1)).square().log1p()  # log of a number near 1 would lose the digits
    far = distance + torch.log1p(torch.exp(-2 * distance)) - math.log(2)  # no cosh: nothing overflows
    return reduce(torch.where(distance < 1, near, far), reduction, weight=mask)


class LogCoshLoss(Loss):
    """Module form of :func:`log_cosh_loss`."""

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """See :func:`log_cosh_loss`."""
        return log_cosh_loss(input, target, mask=mask, **self.options)


@full_precision
def asymmetric_mse_loss(
    input: Tensor,
    target: Tensor,
    *,
    over_penalty: float = 2.0,
    under_penalty: float = 1.0,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Squared error with one price for too much and another for too little: :math:`w(e)\,e^2`.

    :math:`w` is ``over_penalty`` for :math:`e = x - y > 0` and ``under_penalty`` otherwise. Up to a factor this is the
    expectile loss (Newey and Powell 1987) of :math:`\tau` = under / (over + under).

    Args:
        input: predictions, any shape, floating point.
        target: truth, same shape as ``input``.
        over_penalty: weight of predictions above the truth, >= 0.
        under_penalty: weight of predictions below the truth, >= 0.
        mask: boolean, same shape: True where the truth is known; only these elements count.
        reduction: ``"none"`` keeps the shape; ``"mean"`` and ``"sum"`` give a scalar. The mean of nothing is 0.

    Returns:
        The loss, >= 0, in float32 (float64 for float64 tensors), also under autocast.

    Raises:
        ValueError: shapes differ, a penalty is negative, or ``reduction`` is unknown.
    """
    check_number("over_penalty", over_penalty, at_least=0)
    check_number("under_penalty", under_penalty, at_least=0)
    error, mask = _error(input, target, mask)
    over, under = error.clamp_min(0), error.clamp_max(0)
    return reduce(over_penalty * over.square() + under_penalty * under.square(), reduction, weight=mask)


class AsymmetricMSELoss(Loss):
    """Module form of :func:`asymmetric_mse_loss`."""

    def __init__(self, *, over_penalty: float = 2.0, under_penalty: float = 1.0, reduction: Reduction = "mean") -> None:
        check_number("over_penalty", over_penalty, at_least=0)
        check_number("under_penalty", under_penalty, at_least=0)
        super().__init__(over_penalty=over_penalty, under_penalty=under_penalty, reduction=reduction)

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """See :func:`asymmetric_mse_loss`."""
        return asymmetric_mse_loss(input, target, mask=mask, **self.options)


@full_precision
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor,
    *,
    full: bool = False,
    eps: float = 1e-6,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> Tensor:
    r"""Negative log-likelihood of a Gaussian, :math:`\frac12(\log\sigma^2 + e^2/\sigma^2)` (Nix and Weigend 1994).

    A network that predicts its own variance pays less for an error that it announced, and more for doubt without one.

    Args:
        input: predicted means, any shape, floating point.
        target: truth, same shape as ``input``.
        var: predicted variances, same shape, >= 0.
        full: add the constant :math:`\frac12\log 2\pi`, which makes it the negative log-likelihood itself.
        eps: variances below are taken as this, > 0; their gradient stays that of a variance of ``eps``, so that a
            variance of 0 can grow again.
        mask: boolean, same shape: True where the truth is known.
        reduction: ``"none"`` keeps the shape; ``"mean"`` and ``"sum"`` give a scalar. The mean of nothing is 0.
        validate: whether to look for negative variances (on a GPU that waits for it).

    Returns:
        The loss, negative for small variances, in float32 (float64 for float64 tensors), also under autocast.

    Raises:
        ValueError: shapes differ, a variance is negative, ``eps`` is not above 0, or ``reduction`` is unknown.
    """
    check_number("eps", eps, above=0)
    error, mask = _error(input, target, mask)
    check_same_shape(input, var, "input and var")
    if mask is not None:
        var = torch.where(mask, var, 1)
    if reads_values(validate, var) and (var < 0).any():
        raise ValueError(f"var must be >= 0, a variance; got {var.min().item():g}")
    var = var + (var.clamp_min(eps) - var).detach()
    loss = 0.5 * (var.log() + error.square() / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduce(loss if mask is None else torch.where(mask, loss, 0), reduction, weight=mask)


class GaussianNLLLoss(Loss):
    """Module form of :func:`gaussian_nll_loss`."""

    def __init__(
        self, *, full: bool = False, eps: float = 1e-6, reduction: Reduction = "mean", validate: bool = True
    ) -> None:
        check_number("eps", eps, above=0)
        super().__init__(full=full, eps=eps, reduction=reduction, validate=validate)

    def forward(self, input: Tensor, target: Tensor, var: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """See :func:`gaussian_nll_loss`."""
        return gaussian_nll_loss(input, target, var, mask=mask, **self.options)


def _error(input: Tensor, target: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """``input - target``, and 0 where ``mask`` is False; and the mask in the shape of ``input``."""
    check_same_shape(input, target)
    mask, error = check_mask(mask, input), input - target
    return (error if mask is None else torch.where(mask, error, 0)), mask
