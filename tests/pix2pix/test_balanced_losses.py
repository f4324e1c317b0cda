"""A weighting balances GAN loss and L1 in place of lambda, as docs/weighting.md shows."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.testing import assert_close

from losses import GANLoss, GradNorm, Weighting, l1_loss
from pix2pix import PatchDiscriminator, UNetGenerator

TASKS = ("gan", "l1")


def losses_of(discriminator: PatchDiscriminator, views: Mapping[str, Tensor], target: Tensor) -> dict[str, Tensor]:
    scores = discriminator(views["gan"])
    return {"gan": GANLoss()(scores, True, for_discriminator=False), "l1": l1_loss(views["l1"], target)}


def test_gradnorm_between_gan_loss_and_l1() -> None:
    """Its norms are those at the generator's last layer, and G's gradients those of the plain weighted sum."""
    torch.manual_seed(0)
    generator = UNetGenerator(base_channels=4, levels=3, norm="instance").double()
    discriminator = PatchDiscriminator(3, base_channels=4, layers=1).double()
    weighting: Weighting = GradNorm(TASKS, alpha=0.0).double()
    optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    source, target = torch.rand(2, 2, 3, 16, 16, dtype=torch.float64) * 2 - 1
    for _ in range(20):
        plain = copy.deepcopy(generator)
        views = weighting.branch(generator(source), generator.decoder[-1][1].weight)
        optimizer.zero_grad()
        weighting(losses_of(discriminator, views, target)).backward()
        weights = {task: weighting.report()[f"weight/{task}"] for task in TASKS}
        weighting.step()

        losses = losses_of(discriminator, dict.fromkeys(TASKS, plain(source)), target)
        for task in TASKS:
            last = plain.decoder[-1][1].weight
            (gradient,) = torch.autograd.grad(weights[task] * losses[task], last, retain_graph=True)
            assert_close(weighting.report()[f"gradient_norm/{task}"], gradient.norm(), rtol=1e-12, atol=0)
        sum(weights[task] * losses[task] for task in TASKS).backward()  # type: ignore[union-attr]
        for ours, expected in zip(generator.parameters(), plain.parameters(), strict=True):
            assert_close(ours.grad, expected.grad, rtol=1e-12, atol=1e-16)
        optimizer.step()
    assert weights["l1"] > weights["gan"]  # whose gradient is the larger one at first
