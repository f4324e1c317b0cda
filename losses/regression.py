"""Regression losses: the cost of an error :math:`e = x - y`."""

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


class RegressionLoss(Loss):
    """Base of the losses of an error, which differ in their function and its options."""

    def forward(self, input: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Compute the loss of predictions against the truth.

        Args:
            input: predictions, any shape, floating point.
            target: truth, same shape as ``input``.
            mask: boolean, True where the truth is known; same shape, or N x 1 x ... for all channels. Elsewhere the
                loss and its gradient are 0, whatever ``target`` holds there, NaN included.

        Returns:
            The loss, >= 0, in at least float32. The mean is over the elements whose truth is known, and 0 without any.

        Raises:
            TypeError: ``mask`` is not boolean.
            ValueError: shapes differ.
        """
        return self.function(input, target, mask=mask, **self.options)


@full_precision
def mse_loss(input: Tensor, target: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`MSELoss`."""
    error, mask = masked_error(input, target, mask)
    return reduce(error.square(), reduction, weight=mask)


class MSELoss(RegressionLoss):
    """Mean squared error, :math:`e^2`: the mean is its best constant, so outliers pull hard.

    Args:
        reduction: ``none`` keeps the shape, ``mean`` or ``sum``.

    Example:
        >>> MSELoss()(torch.tensor([1.0, 5.0]), torch.tensor([0.0, 3.0]))
        tensor(2.5000)
    """

    function = staticmethod(mse_loss)

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)


@full_precision
def l1_loss(input: Tensor, target: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`L1Loss`."""
    error, mask = masked_error(input, target, mask)
    return reduce(error.abs(), reduction, weight=mask)


class L1Loss(RegressionLoss):
    """Mean absolute error (MAE), :math:`|e|`: the median is its best constant, so outliers hardly matter.

    The gradient at :math:`e = 0` is 0.

    Args:
        reduction: ``none`` keeps the shape, ``mean`` or ``sum``.

    Example:
        >>> depth = torch.tensor([2.0, float("nan")])  # NaN where the sensor saw nothing
        >>> L1Loss()(torch.zeros(2), depth, mask=depth.isfinite())
        tensor(2.)
    """

    likelihood = "laplace"
    function = staticmethod(l1_loss)

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)


@full_precision
def rmse_loss(input: Tensor, target: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`RMSELoss`."""
    check_choice("reduction", reduction, Reduction)
    error, mask = masked_error(input, target, mask)
    if reduction == "none":
        return error.abs()
    norm = torch.linalg.vector_norm(error)
    count = (torch.ones_like(error) if mask is None else mask).sum()
    return norm if reduction == "sum" else norm / count.clamp_min(1).sqrt()


class RMSELoss(RegressionLoss):
    r"""Root mean squared error, :math:`\sqrt{\mathrm{mean}(e^2)}`: the error in the unit of the target.

    At a perfect fit value and gradient are exactly 0 (the root of a mean has the gradient NaN there, and a constant
    under the root changes the value). The mean of the RMSEs of several batches, or processes, is not the RMSE of all.

    Args:
        reduction: the root comes last: ``mean`` is :math:`\sqrt{\mathrm{mean}(e^2)}`, ``sum`` :math:`\sqrt{\sum e^2}`
            and ``none`` :math:`\sqrt{e^2} = |e|`.

    Example:
        >>> RMSELoss()(torch.tensor([3.0, 4.0]), torch.tensor([0.0, 8.0]))  # the root of (9 + 16) / 2
        tensor(3.5355)
    """

    function = staticmethod(rmse_loss)

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)


@full_precision
def huber_loss(
    input: Tensor, target: Tensor, *, delta: float = 1.0, mask: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`HuberLoss`."""
    check_number("delta", delta, above=0)
    error, mask = masked_error(input, target, mask)
    return reduce(F.huber_loss(error, torch.zeros_like(error), "none", delta), reduction, weight=mask)


class HuberLoss(RegressionLoss):
    r"""Huber loss, :math:`\frac12 e^2` up to :math:`|e| = \delta`, then :math:`\delta(|e| - \frac12\delta)` (1964).

    It is :math:`\delta` times :class:`SmoothL1Loss` with ``beta`` = :math:`\delta`: the two are the same only at 1.

    Args:
        delta: the error from which on the loss is linear, > 0; errors beyond it count as outliers.
        reduction: ``none`` keeps the shape, ``mean`` or ``sum``.

    Example:
        >>> HuberLoss(reduction="none")(torch.tensor([0.5, 4.0]), torch.zeros(2))
        tensor([0.1250, 3.5000])
    """

    likelihood = "laplace"
    function = staticmethod(huber_loss)

    def __init__(self, *, delta: float = 1.0, reduction: Reduction = "mean") -> None:
        check_number("delta", delta, above=0)
        super().__init__(delta=delta, reduction=reduction)


@full_precision
def smooth_l1_loss(
    input: Tensor, target: Tensor, *, beta: float = 1.0, mask: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`SmoothL1Loss`."""
    check_number("beta", beta, at_least=0)
    error, mask = masked_error(input, target, mask)
    return reduce(F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=beta), reduction, weight=mask)


class SmoothL1Loss(RegressionLoss):
    r"""Smooth L1 loss: :math:`e^2 / 2\beta` up to :math:`|e| = \beta`, then :math:`|e| - \frac12\beta` (Girshick 2015).

    Its slope far away is 1 whatever ``beta`` is; that of :class:`HuberLoss` is ``delta``.

    Args:
        beta: the error from which on the loss is linear, >= 0; 0 gives :class:`L1Loss`.
        reduction: ``none`` keeps the shape, ``mean`` or ``sum``.

    Example:
        >>> SmoothL1Loss(beta=0.5, reduction="none")(torch.tensor([0.5, 4.0]), torch.zeros(2))
        tensor([0.2500, 3.7500])
    """

    likelihood = "laplace"
    function = staticmethod(smooth_l1_loss)

    def __init__(self, *, beta: float = 1.0, reduction: Reduction = "mean") -> None:
        check_number("beta", beta, at_least=0)
        super().__init__(beta=beta, reduction=reduction)


@full_precision
def log_cosh_loss(
    input: Tensor, target: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`LogCoshLoss`."""
    error, mask = masked_error(input, target, mask)
    distance = error.abs()
    near = 0.5 * torch.sinh(error.clamp(-1, 1)).square().log1p()  # the log of a number near 1 would lose digits
    far = distance + torch.log1p(torch.exp(-2 * distance)) - math.log(2)  # no cosh: nothing overflows
    return reduce(torch.where(distance < 1, near, far), reduction, weight=mask)


class LogCoshLoss(RegressionLoss):
    r"""Log-cosh loss, :math:`\log\cosh e`: quadratic near zero, linear far away, twice differentiable everywhere.

    It comes near :math:`\frac12 e^2` for small errors and :math:`|e| - \log 2` for large ones, keeps all digits of
    either, and its second derivative at 0 is 1.

    Args:
        reduction: ``none`` keeps the shape, ``mean`` or ``sum``.

    Example:
        >>> LogCoshLoss(reduction="none")(torch.tensor([1e-3, 1e4]), torch.zeros(2))
        tensor([5.0000e-07, 9.9993e+03])
    """

    likelihood = "laplace"
    function = staticmethod(log_cosh_loss)

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)


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
    """Functional form of :class:`AsymmetricMSELoss`."""
    check_number("over_penalty", over_penalty, at_least=0)
    check_number("under_penalty", under_penalty, at_least=0)
    error, mask = masked_error(input, target, mask)
    over, under = error.clamp_min(0), error.clamp_max(0)
    return reduce(over_penalty * over.square() + under_penalty * under.square(), reduction, weight=mask)


class AsymmetricMSELoss(RegressionLoss):
    r"""Squared error with different weights for predictions that are too high and too low, :math:`w(e)\,e^2`.

    :math:`w` is ``over_penalty`` for :math:`e > 0` and ``under_penalty`` otherwise. Up to a factor this is the
    expectile loss (Newey and Powell 1987) of :math:`\tau` = under / (over + under).

    Args:
        over_penalty: weight of predictions above the truth, >= 0.
        under_penalty: weight of predictions below the truth, >= 0.
        reduction: ``none`` keeps the shape, ``mean`` or ``sum``.

    Example:
        >>> AsymmetricMSELoss(reduction="none")(torch.tensor([1.0, -1.0]), torch.zeros(2))
        tensor([2., 1.])
    """

    function = staticmethod(asymmetric_mse_loss)

    def __init__(self, *, over_penalty: float = 2.0, under_penalty: float = 1.0, reduction: Reduction = "mean") -> None:
        check_number("over_penalty", over_penalty, at_least=0)
        check_number("under_penalty", under_penalty, at_least=0)
        super().__init__(over_penalty=over_penalty, under_penalty=under_penalty, reduction=reduction)


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
    """Functional form of :class:`GaussianNLLLoss`."""
    check_number("eps", eps, above=0)
    error, mask = masked_error(input, target, mask)
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
    r"""Negative log-likelihood of a Gaussian, :math:`\frac12(\log\sigma^2 + e^2/\sigma^2)` (Nix and Weigend 1994).

    A network that predicts its own variance pays less for an error that it expected, and more for doubt without an
    error.

    Args:
        full: add the constant :math:`\frac12\log 2\pi`, which makes it the negative log-likelihood itself.
        eps: smaller variances are raised to this, > 0; their gradient stays that of a variance of ``eps``, so that a
            variance of 0 can grow again.
        reduction: ``none`` keeps the shape, ``mean`` or ``sum``.
        validate: whether to look for negative variances (on a GPU that waits for it).

    Example:
        >>> mean, truth = torch.zeros(2), torch.tensor([0.0, 2.0])
        >>> GaussianNLLLoss(reduction="none")(mean, truth, torch.ones(2))
        tensor([0., 2.])
        >>> GaussianNLLLoss(reduction="none")(mean, truth, torch.tensor([1.0, 4.0]))  # the error was expected
        tensor([0.0000, 1.1931])
    """

    def __init__(
        self, *, full: bool = False, eps: float = 1e-6, reduction: Reduction = "mean", validate: bool = True
    ) -> None:
        check_number("eps", eps, above=0)
        super().__init__(full=full, eps=eps, reduction=reduction, validate=validate)

    def forward(self, input: Tensor, target: Tensor, var: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Compute the loss of predicted distributions against the truth.

        Args:
            input: predicted means, any shape, floating point.
            target: truth, same shape as ``input``.
            var: predicted variances, same shape, >= 0.
            mask: boolean, True where the truth is known; same shape, or N x 1 x ... for all channels.

        Returns:
            The loss, negative for small variances, in at least float32. The mean of nothing is 0.

        Raises:
            TypeError: ``mask`` is not boolean.
            ValueError: shapes differ, or a variance is negative.
        """
        return gaussian_nll_loss(input, target, var, mask=mask, **self.options)


def masked_error(input: Tensor, target: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """``input - target``, and 0 where ``mask`` is False; and the mask in the shape of ``input``."""
    check_same_shape(input, target)
    mask, error = check_mask(mask, input), input - target
    return (error if mask is None else torch.where(mask, error, 0)), mask
