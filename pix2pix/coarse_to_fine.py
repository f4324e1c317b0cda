"""The generator of pix2pixHD: one network for the whole, one for the details."""

from torch import Tensor, nn
from torch.nn import functional as F

from pix2pix.generators import Generator, ResidualBlock, ResNetGenerator, Upsampling, upsample
from pix2pix.layers import Norm, ReflectionPad, initialize, needs_bias, normalization
from training.recomputation import Layers


class CoarseToFineGenerator(Generator):
    """A ResNet at half the size, and an enhancer around it (pix2pixHD, Wang et al. 2018), for large pictures.

    The enhancer, c7s1-32, d64, ``fine_blocks`` of R64, u32, c7s1-out for base_channels 32, adds to its features of half
    the size those of a :class:`ResNetGenerator` with twice its channels, which sees the picture at half the size,
    averaged over 3 x 3 pixels. pix2pixHD trains the inner network by itself first; here both train together.

    Sides must be multiples of 8.

    Args:
        in_channels: channels of the input picture.
        out_channels: channels of the output picture.
        base_channels: channels after the enhancer's first convolution.
        blocks: residual blocks of the inner network, at least 1.
        fine_blocks: of the enhancer, at least 1.
        norm: normalization after every convolution but the last; pix2pixHD has ``instance``.
        dropout: probability of zeroing an element inside each residual block.
        upsampling: ``transposed`` convolutions, or ``resize``, which leaves no checkerboard pattern.

    Raises:
        ValueError: fewer than 1 block, or an unknown ``norm`` or ``upsampling``.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        base_channels: int = 32,
        blocks: int = 9,
        fine_blocks: int = 3,
        norm: Norm = "instance",
        dropout: float = 0.0,
        upsampling: Upsampling = "transposed",
    ) -> None:
        if fine_blocks < 1:
            raise ValueError(f"fine_blocks must be at least 1; got {fine_blocks}")
        super().__init__(in_channels, out_channels, stride=8)
        c, bias = base_channels, needs_bias(norm)
        self.coarse = ResNetGenerator(in_channels, out_channels, 2 * c, blocks, norm, dropout, upsampling)
        self.coarse.head = Layers()  # its features are what is used
        self.down = Layers(
            *(ReflectionPad(3), nn.Conv2d(in_channels, c, 7, bias=bias), normalization(norm, c), nn.ReLU()),
            *(nn.Conv2d(c, 2 * c, 3, stride=2, padding=1, bias=bias), normalization(norm, 2 * c), nn.ReLU()),
        )
        self.blocks = nn.Sequential(*[ResidualBlock(2 * c, norm, dropout) for _ in range(fine_blocks)])
        self.up = Layers(*upsample(2 * c, c, upsampling, bias, kernel=3), normalization(norm, c), nn.ReLU())
        self.head = Layers(ReflectionPad(3), nn.Conv2d(c, out_channels, 7), nn.Tanh())
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        """Translate pictures N x in_channels x H x W in [-1, 1]; H and W multiples of 8, at least 16."""
        self.check(x)
        half = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        features: Tensor = self.down(x) + self.coarse(half)  # H/2 x W/2
        output: Tensor = self.head(self.up(self.blocks(features)))
        return output
