import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

from losses import GANLoss, RelativisticGANLoss, relativistic_gan_loss

scores = st.lists(st.floats(-50, 50), min_size=3, max_size=3)


def test_by_hand() -> None:
    """The real sample leads by 2: the discriminator pays log(1 + e^-2), the generator log(1 + e^2)."""
    loss, real, fake = RelativisticGANLoss(), torch.full((2, 1, 3, 3), 5.0), torch.full((2, 1, 3, 3), 3.0)
    assert loss(real, fake).item() == pytest.approx(math.log1p(math.exp(-2)))
    assert loss(real, fake, for_discriminator=False).item() == pytest.approx(math.log1p(math.exp(2)))


@given(scores, scores, st.floats(-100, 100))
def test_the_two_steps_are_opposites_that_see_differences_alone(real: list[float], fake: list[float], c: float) -> None:
    x, y = torch.tensor(real, dtype=torch.float64), torch.tensor(fake, dtype=torch.float64)
    discriminator = relativistic_gan_loss(x, y, reduction="none")
    generator = relativistic_gan_loss(x, y, for_discriminator=False, reduction="none")
    assert_close(discriminator, relativistic_gan_loss(y, x, for_discriminator=False, reduction="none"))
    assert_close(generator - discriminator, x - y)  # softplus(a) - softplus(-a) = a
    assert_close(relativistic_gan_loss(x + c, y + c, reduction="none"), discriminator)
    assert_close(discriminator.mean(), GANLoss("vanilla")(x - y, True))


def test_each_step_follows_its_own_sample() -> None:
    """Descent on G's loss raises the score of the fake sample, descent on D's lowers it and raises the real one's."""
    real, fake = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    of_discriminator = torch.autograd.grad(relativistic_gan_loss(real, fake), [real, fake])
    assert_close(of_discriminator, (torch.tensor([-0.5]), torch.tensor([0.5])))
    of_generator = torch.autograd.grad(relativistic_gan_loss(real, fake, for_discriminator=False), [real, fake])
    assert_close(of_generator, (torch.tensor([0.5]), torch.tensor([-0.5])))


def test_patches_are_compared_one_by_one() -> None:
    """And not with the mean of the others, as in the relativistic average GAN."""
    real, fake = torch.tensor([[4.0, -2.0]]), torch.tensor([[1.0, 0.0]])
    expected = torch.tensor([[math.log1p(math.exp(-3)), math.log1p(math.exp(2))]])
    assert_close(relativistic_gan_loss(real, fake, reduction="none"), expected)


def test_scales_and_feature_maps_are_taken_as_by_gan_loss() -> None:
    loss = RelativisticGANLoss()
    real, fake = ([torch.randn(2, 1, size, size) for size in (8, 3)] for _ in range(2))
    expected = sum(F.softplus(y - x).mean() for x, y in zip(real, fake, strict=True)) / 2
    assert_close(loss(real, fake), expected)
    nested = ([[torch.randn(2, 16, 9, 9), score] for score in scores] for scores in (real, fake))
    assert_close(loss(*nested), expected)


def test_what_does_not_fit_together_is_refused() -> None:
    loss, x = RelativisticGANLoss(), torch.zeros(2, 1, 3, 3)
    with pytest.raises(ValueError, match="real and fake must have the same number of scales; got 1 and 2"):
        loss(x, [x, x])
    with pytest.raises(ValueError, match=r"must have the same shape; got \(2, 1, 3, 3\) and \(1, 1, 3, 3\)"):
        loss(x, x[:1])
    with pytest.raises(ValueError, match=r"fake must be a tensor or hold at least one, .* got a sequence of 0"):
        loss(x, [])
    with pytest.raises(ValueError, match="just one with reduction none; got a sequence of 2"):
        RelativisticGANLoss(reduction="none")([x, x], [x, x])
