"""GANLoss in a plain PyTorch GAN: a DCGAN (Radford et al. 2016) that learns to draw discs.

    python examples/dcgan.py

The only import from this project is ``GANLoss``, which needs torch alone. The training pictures are drawn as they are
needed: one bright disc on black, 16 x 16, at a random place and of a random radius. A drawing is judged by how far it
is from the true disc of its own center and area: 0 is a perfect disc.

On one CPU core the 1000 steps took 40 seconds. The distance fell from 0.91 to 0.02, and the radii spread like the true
ones. ``lsgan`` and ``hinge`` did as well.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from losses import GANLoss

SIZE, NOISE = 16, 32


def draw_discs(rows: Tensor, columns: Tensor, radii: Tensor) -> Tensor:
    """Draw N discs with soft edges, N x 1 x SIZE x SIZE in [-1, 1]."""
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    distances = torch.hypot(y - rows.view(-1, 1, 1), x - columns.view(-1, 1, 1))
    return (radii.view(-1, 1, 1) - distances).mul(2).tanh().unsqueeze(1)


def real_pictures(count: int) -> Tensor:
    """Draw discs of random places and radii."""
    rows, columns = torch.empty(2, count).uniform_(5, 10)
    return draw_discs(rows, columns, torch.empty(count).uniform_(2, 5))


def measure(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return each picture's mean distance from the disc of its own center and area, and that disc's radius."""
    light = (pictures[:, 0] + 1) / 2
    area = light.sum((1, 2)).clamp_min(1e-6)
    places = torch.arange(SIZE, dtype=light.dtype)
    rows, columns = (light.sum(2) @ places) / area, (light.sum(1) @ places) / area
    radii = (area / torch.pi).sqrt()
    return (pictures - draw_discs(rows, columns, radii)).abs().mean((1, 2, 3)), radii


def build_networks() -> tuple[nn.Module, nn.Module]:
    """Build G, from noise N x NOISE x 1 x 1 to pictures, and D, from pictures to raw scores (no sigmoid)."""
    generator = nn.Sequential(
        nn.ConvTranspose2d(NOISE, 64, 4), nn.BatchNorm2d(64), nn.ReLU(),  # 4 x 4
        nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),  # 8 x 8
        nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh(),  # 16 x 16
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2),  # 8 x 8
        nn.Conv2d(32, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.LeakyReLU(0.2),  # 4 x 4
        nn.Conv2d(64, 1, 4),  # one score for each picture
    )  # fmt: skip
    return generator, discriminator


def main(steps: int = 1000, mode: Literal["vanilla", "lsgan", "hinge"] = "vanilla") -> float:
    """Train, print what was learned, and return the mean distance of drawings from discs.

    Args:
        steps: batches to train on.
        mode: of GANLoss.
    """
    torch.manual_seed(0)
    generator, discriminator = build_networks()
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=5e-4, betas=(0.5, 0.999))
    gan_loss = GANLoss(mode)
    for step in range(steps + 1):
        fake = generator(torch.randn(64, NOISE, 1, 1))
        if step % 250 == 0:
            distances, radii = measure(fake.detach())
            print(f"step {step:5}   distance {distances.mean():.3f}   radii {radii.mean():.2f} +- {radii.std():.2f}")

        d_loss = gan_loss(discriminator(real_pictures(64)), True) + gan_loss(discriminator(fake.detach()), False)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        g_loss = gan_loss(discriminator(fake), True, for_discriminator=False)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
    _, radii = measure(real_pictures(1000))
    print(f"real pictures:                 radii {radii.mean():.2f} +- {radii.std():.2f}")
    with torch.no_grad():
        return measure(generator(torch.randn(200, NOISE, 1, 1)))[0].mean().item()


if __name__ == "__main__":
    print(f"distance of 200 new drawings: {main():.3f}")
