"""The loss of a variational autoencoder."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.convention import (
    Loss,
    Reduction,
    check_choice,
    check_number,
    check_same_shape,
    full_precision,
    reads_values,
    reduce,
)

Likelihood = Literal["bernoulli", "gaussian", "mse"]
LOG_VARIANCE_RANGE = (-30.0, 20.0)


class VAETerms(NamedTuple):
    """What :class:`VAELoss` returns: the loss to train with, and its two parts to log."""

    loss: Tensor
    reconstruction: Tensor
    kl: Tensor


@full_precision
def vae_loss(
    input: Tensor,
    target: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    *,
    likelihood: Likelihood = "bernoulli",
    beta: float = 1.0,
    free_bits: float = 0.0,
    reduction: Reduction = "mean",
    validate: bool = True,
) -> VAETerms:
    """Functional form of :class:`VAELoss`."""
    _check_options(likelihood, beta, free_bits)
    check_same_shape(input, target)
    check_same_shape(mean, log_variance, "mean and log_variance")
    if not input.dim() or mean.dim() != 2 or len(mean) != len(input):
        raise ValueError(
            f"input must have the shape N x ... and mean N x Z; got {tuple(input.shape)} and {tuple(mean.shape)}"
        )
    target = target.to(input.dtype)
    if likelihood == "bernoulli":
        if reads_values(validate, target) and not ((target >= 0) & (target <= 1)).all():
            raise ValueError(
                "target must be in [0, 1] for likelihood bernoulli; "
                f"got {target.min().item():g} to {target.max().item():g}"
            )
        surprise = F.binary_cross_entropy_with_logits(input, target, reduction="none")
    else:
        surprise = (input - target).square()
        if likelihood == "gaussian":
            surprise = 0.5 * (surprise + math.log(2 * math.pi))
    reconstruction = surprise.flatten(1).sum(1) if surprise.dim() > 1 else surprise

    log_variance = log_variance.clamp(*LOG_VARIANCE_RANGE)
    kl = 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance)
    paid = torch.where(kl.mean(0) > free_bits, kl, free_bits) if free_bits else kl
    loss = reconstruction + beta * paid.sum(1)
    return VAETerms(*(reduce(term, reduction) for term in (loss, reconstruction, kl.sum(1))))


class VAELoss(Loss):
    r"""Negative evidence lower bound, :math:`-\mathbb{E}\log p(x|z) + \beta\,\mathrm{KL}(q(z|x) \,\|\, p(z))`.

    :math:`q` is a diagonal Gaussian and :math:`p(z)` the standard one (Kingma and Welling 2014; beta: Higgins et al.
    2017), so that :math:`\mathrm{KL} = \frac12 \sum_j (\mu_j^2 + \sigma_j^2 - 1 - \log\sigma_j^2)`. Both terms are sums
    over a sample's features, and ``mean`` is over samples: ``beta`` and the learning rate do not depend on the size of
    the batch. Zero logits cost log 2 per feature.

    Args:
        likelihood: ``bernoulli``: binary cross-entropy of logits; ``gaussian`` with variance 1:
            :math:`\frac12 (x - y)^2 + \frac12\log 2\pi`; ``mse``: :math:`(x - y)^2`, but for a constant a Gaussian of
            variance 1/2.
        beta: weight of the KL term, >= 0.
        free_bits: nats >= 0 that each latent dimension may carry for free, on the average of the batch: the KL of a
            dimension below costs this much and has no gradient (Kingma et al. 2016). Against posterior collapse.
        reduction: ``none`` gives N; ``mean`` or ``sum`` over the samples.
        validate: whether to look for ``bernoulli`` targets outside [0, 1] (on a GPU that waits for it).

    Example:
        >>> logits, pictures = torch.zeros(4, 1, 28, 28), torch.zeros(4, 1, 28, 28)
        >>> mean, log_variance = torch.ones(4, 16), torch.zeros(4, 16)
        >>> VAELoss()(logits, pictures, mean, log_variance)  # 784 log 2, and 16 / 2
        VAETerms(loss=tensor(551.4275), reconstruction=tensor(543.4275), kl=tensor(8.))
    """

    def __init__(
        self,
        *,
        likelihood: Likelihood = "bernoulli",
        beta: float = 1.0,
        free_bits: float = 0.0,
        reduction: Reduction = "mean",
        validate: bool = True,
    ) -> None:
        _check_options(likelihood, beta, free_bits)
        super().__init__(likelihood=likelihood, beta=beta, free_bits=free_bits, reduction=reduction, validate=validate)

    def forward(self, input: Tensor, target: Tensor, mean: Tensor, log_variance: Tensor) -> VAETerms:
        r"""Compute the loss and its two terms.

        Args:
            input: output of the decoder, N x ..., floating point: logits for ``bernoulli``, means otherwise.
            target: the data, same shape; in [0, 1] for ``bernoulli``, which is a likelihood for 0 and 1 alone (gray
                values between have a minimum above 0).
            mean: :math:`\mu` of the latent variables, N x Z.
            log_variance: :math:`\log\sigma^2` of the latent variables, N x Z, clamped to [-30, 20] (no gradient
                beyond), so that its exponential does not overflow.

        Returns:
            The loss; the reconstruction term; and the KL term without ``beta`` and ``free_bits``, >= 0. In at least
            float32. The mean of nothing is 0.

        Raises:
            ValueError: shapes do not fit, or a target is outside [0, 1].
        """
        return vae_loss(input, target, mean, log_variance, **self.options)


def _check_options(likelihood: Likelihood, beta: float, free_bits: float) -> None:
    check_choice("likelihood", likelihood, Likelihood)
    check_number("beta", beta, at_least=0)
    check_number("free_bits", free_bits, at_least=0)
