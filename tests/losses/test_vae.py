import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from losses import VAELoss, vae_loss


def test_by_hand() -> None:
    """One sample of two pixels at logit 0, and a posterior N(1, e) in one dimension."""
    loss = VAELoss(beta=3)(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]), torch.ones(1, 1), torch.ones(1, 1))
    kl = 0.5 * (1 + math.e - 1 - 1)
    assert loss.reconstruction.item() == pytest.approx(2 * math.log(2))
    assert loss.kl.item() == pytest.approx(kl)
    assert loss.loss.item() == pytest.approx(2 * math.log(2) + 3 * kl)


def test_likelihoods() -> None:
    x, y, z = torch.randn(3, 4), torch.randn(3, 4), torch.zeros(3, 2)
    squares = (x - y).square().sum(1).mean()
    assert_close(vae_loss(x, y, z, z, likelihood="mse").loss, squares)
    gaussian = vae_loss(x, y, z, z, likelihood="gaussian").loss
    assert_close(gaussian, 0.5 * squares + 4 * 0.5 * math.log(2 * math.pi))
    target = y.sigmoid()
    bernoulli = vae_loss(x, target, z, z).loss
    assert_close(bernoulli, F.binary_cross_entropy_with_logits(x, target, reduction="sum") / 3)


def test_neither_term_depends_on_the_size_of_the_batch() -> None:
    x, y, mean, log_variance = torch.randn(3, 4), torch.rand(3, 4), torch.randn(3, 2), torch.randn(3, 2)
    once = vae_loss(x, y, mean, log_variance)
    twice = vae_loss(*(torch.cat([t, t]) for t in (x, y, mean, log_variance)))
    for a, b in zip(once, twice, strict=True):
        assert_close(a, b)


def test_free_bits_are_of_a_dimension_and_of_the_batch() -> None:
    """Dimension 0 carries 2 nats on average, dimension 1 a twentieth: raised to 0.5, without a gradient."""
    mean = torch.tensor([[0.0, 0.0], [math.sqrt(8), math.sqrt(0.2)]], requires_grad=True)
    zeros, log_variance = torch.zeros(2, 1), torch.zeros(2, 2)
    terms = vae_loss(zeros, zeros, mean, log_variance, likelihood="mse", free_bits=0.5)
    assert terms.kl.item() == pytest.approx(2.0 + 0.05)
    assert terms.loss.item() == pytest.approx(2.0 + 0.5)
    terms.loss.backward()
    assert mean.grad is not None
    assert mean.grad[1, 0] > 0
    assert (mean.grad[:, 1] == 0).all()
    each = vae_loss(zeros, zeros, mean, log_variance, likelihood="mse", free_bits=0.5, reduction="none")
    assert_close(each.loss.mean(), terms.loss)


def test_log_variances_that_would_overflow() -> None:
    zeros = torch.zeros(1, 1)
    kl = vae_loss(zeros, zeros, zeros, torch.full((1, 1), 500.0), likelihood="mse").kl
    assert kl.item() == pytest.approx(0.5 * (math.exp(20) - 1 - 20))


def test_a_posterior_near_the_prior_keeps_its_digits() -> None:
    """exp(v) - 1 - v of 1e-4 in float32 is 0 or twice too large when the terms are added as they are."""
    zeros = torch.zeros(1, 1)
    kl = vae_loss(zeros, zeros, zeros, torch.full((1, 1), 1e-2), likelihood="mse").kl
    assert kl.item() == pytest.approx(0.5 * (math.expm1(1e-2) - 1e-2), rel=1e-4)


def test_bad_calls_are_refused() -> None:
    x, z = torch.zeros(2, 3), torch.zeros(2, 4)
    with pytest.raises(ValueError, match=r"target must be in \[0, 1\] for likelihood bernoulli; got -1 to -1"):
        vae_loss(x, x - 1, z, z)
    vae_loss(x, x - 1, z, z, likelihood="mse")
    with pytest.raises(ValueError, match="mean and log_variance must have the same shape"):
        vae_loss(x, x, z, z[:, :1])
    with pytest.raises(
        ValueError, match=r"input must have the shape N x ... and mean N x Z; got \(2, 3\) and \(1, 4\)"
    ):
        vae_loss(x, x, z[:1], z[:1])
