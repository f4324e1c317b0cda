"""A multi-scale hinge GAN: three discriminators look at the same picture at three sizes, and GANLoss takes them all.

    python examples/multiscale_hinge.py

Discriminators at several scales are those of pix2pixHD (Wang et al. 2018), spectral norm and the hinge those of SAGAN
(Zhang et al. 2019). ``GANLoss`` takes a list of scores as it takes a tensor, and averages over the scales. The training
pictures are stripes of a random direction and width, 32 x 32. How regular a picture is, its spectrum tells: the share
of its power in the strongest frequency and its neighbors.

On one CPU core the 1000 steps took 70 seconds. The share rose from 0.08 to 0.74; true stripes have 0.87.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from losses import GANLoss

SIZE, NOISE = 32, 16


def real_pictures(count: int) -> Tensor:
    """Draw stripes of random direction, width and phase, N x 1 x SIZE x SIZE in [-1, 1]."""
    angles, phases = torch.rand(2, count, 1, 1) * 2 * torch.pi
    waves = torch.empty(count, 1, 1).uniform_(2, 4)  # across the picture
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    along = x * angles.cos() + y * angles.sin()
    return (2 * torch.pi * waves * along / SIZE + phases).sin().unsqueeze(1)


def regularity(pictures: Tensor) -> Tensor:
    """Return for each picture the share of its power in the strongest frequency and those around it."""
    power = torch.fft.fft2(pictures[:, 0] - pictures.mean((1, 2, 3)).view(-1, 1, 1)).abs().square()
    around = F.avg_pool2d(F.pad(power.unsqueeze(1), (1, 1, 1, 1), mode="circular"), 3, stride=1) * 9
    return 2 * around.amax((1, 2, 3)) / power.sum((1, 2))  # twice: a real picture has each frequency with both signs


class MultiScaleDiscriminator(nn.Module):
    """PatchGANs of one design at full, half and quarter size; returns a list of their raw scores."""

    def __init__(self, scales: int = 3) -> None:
        super().__init__()
        self.judges = nn.ModuleList(self._build_judge() for _ in range(scales))

    @staticmethod
    def _build_judge() -> nn.Module:
        return nn.Sequential(
            spectral_norm(nn.Conv2d(1, 16, 4, 2, 1)), nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(16, 32, 4, 2, 1)), nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(32, 1, 2)),
        )  # fmt: skip

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Score pictures N x 1 x SIZE x SIZE."""
        return [judge(F.avg_pool2d(pictures, 2**scale)) for scale, judge in enumerate(self.judges)]


def build_generator() -> nn.Module:
    """Build the network from noise N x NOISE x 1 x 1 to pictures."""
    return nn.Sequential(
        nn.ConvTranspose2d(NOISE, 64, 4), nn.BatchNorm2d(64), nn.ReLU(),  # 4 x 4
        nn.ConvTranspose2d(64, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.ReLU(),  # 8 x 8
        nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),  # 16 x 16
        nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh(),  # 32 x 32
    )  # fmt: skip


def main(steps: int = 1000) -> float:
    """Train, print what was learned, and return the mean regularity of new pictures.

    Args:
        steps: batches to train on.
    """
    torch.manual_seed(0)
    generator, discriminator = build_generator(), MultiScaleDiscriminator()
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.0, 0.9))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.0, 0.9))
    gan_loss = GANLoss("hinge")
    for step in range(steps):
        fake = generator(torch.randn(32, NOISE, 1, 1))
        if step % 100 == 0:
            print(f"step {step:5}   regularity {regularity(fake.detach()).mean():.3f}")

        d_loss = gan_loss(discriminator(real_pictures(32)), True) + gan_loss(discriminator(fake.detach()), False)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        g_loss = gan_loss(discriminator(fake), True, for_discriminator=False)  # the generator's hinge loss is another
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
    print(f"real pictures  regularity {regularity(real_pictures(200)).mean():.3f}")
    with torch.no_grad():
        return regularity(generator(torch.randn(200, NOISE, 1, 1))).mean().item()


if __name__ == "__main__":
    print(f"regularity of 200 new pictures: {main():.3f}")
