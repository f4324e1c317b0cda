"""The generators: the U-Net of pix2pix, and the ResNet of Johnson et al."""

from abc import abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

from inference import Network
from inference.convolutions import DownConv2d, UpConv2d
from pix2pix.layers import (
    Norm,
    ReflectionPad,
    initialize,
    needs_bias,
    normalization,
    require_channels,
    require_dropout,
)

Upsampling = Literal["transposed", "resize"]


class Generator(Network):
    """A network that turns pictures into pictures of the same size: N x C_in x H x W -> N x C_out x H x W in [-1, 1].

    Args:
        in_channels: channels of its input.
        out_channels: channels of its output.
        stride: how much smaller its smallest feature map is; H and W must be multiples of it.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        require_channels(in_channels=in_channels, out_channels=out_channels)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.stride = stride

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Translate pictures N x in_channels x H x W in [-1, 1]."""

    @property
    def last_weight(self) -> nn.Parameter:
        """The weight of its last layer, where weightings measure the gradients of the losses."""
        return [parameter for parameter in self.parameters() if parameter.dim() > 1][-1]

    def check(self, x: Tensor) -> None:
        """Require pictures that fit the network.

        Raises:
            ValueError: not ``in_channels``, or H or W is no multiple of ``stride``; the message names those next to it.
        """
        channels, height, width = x.shape[-3:]
        if channels != self.in_channels:
            raise ValueError(
                f"{type(self).__name__}: pictures of {channels} channels do not fit, it takes {self.in_channels}: set "
                "its in_channels, or the data's input_channels"
            )
        if height % self.stride == 0 and width % self.stride == 0:
            return

        def fitting(size: int) -> str:
            below = size // self.stride * self.stride
            if below == size:
                return str(size)
            return f"{below} or {below + self.stride}" if below else str(self.stride)

        raise ValueError(
            f"{type(self).__name__}: pictures of {height} x {width} (height x width) do not fit, both must be "
            f"multiples of {self.stride}: take height {fitting(height)} and width {fitting(width)}"
        )


class UNetGenerator(Generator):
    """U-Net of pix2pix (Isola et al. 2017): an encoder and a decoder of ``levels`` levels, skips between equal sizes.

    With C64-... for base_channels 64 and 8 levels, every convolution 4 x 4 with stride 2:

    encoder C64-C128-C256-C512-C512-C512-C512-C512, decoder CD512-CD512-CD512-C512-C256-C128-C64-out.

    Pictures must have sides that are multiples of 2**levels: 8 levels for 256, 7 for 128, 6 for 64.

    Args:
        in_channels: channels of the input picture.
        out_channels: channels of the output picture.
        base_channels: channels after the first convolution; they double at each level up to 8 times this.
        levels: how often the size is halved, at least 2; the parameters are 54,413,955 for 8 levels and 64 channels.
        norm: normalization after every convolution but the first, the innermost and the last. ``batch`` is the
            paper's, which with batch size 1 is ``instance`` in training.
        dropout: probability of zeroing an element after the decoder's levels where the reference does it: the
            levels - 5 that follow the innermost. It is the generator's only noise. 0 for none.
        upsampling: ``transposed`` convolutions as in the paper; or ``resize`` (nearest, then a 3 x 3 convolution),
            which leaves no checkerboard pattern (Odena et al. 2016).
        skips: whether each level of the decoder sees the encoder's features of its size beside those of the level
            below; without them it is the paper's encoder-decoder, with half the channels into these levels.

    Raises:
        ValueError: fewer than 2 levels, or an unknown ``norm`` or ``upsampling``.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        base_channels: int = 64,
        levels: int = 8,
        norm: Norm = "batch",
        dropout: float = 0.5,
        upsampling: Upsampling = "transposed",
        skips: bool = True,
    ) -> None:
        if levels < 2:
            raise ValueError(f"levels must be at least 2; got {levels}")
        require_channels(base_channels=base_channels)
        require_dropout(dropout)
        super().__init__(in_channels, out_channels, stride=2**levels)
        channels = [base_channels * min(2**level, 8) for level in range(levels)]
        bias = needs_bias(norm)
        self.skips = skips

        self.encoder = nn.ModuleList()
        for level, width in enumerate(channels):
            down = nn.Sequential()
            if level > 0:
                down.append(nn.LeakyReLU(0.2))
            before = channels[level - 1] if level > 0 else in_channels
            down.append(DownConv2d(before, width, bias))
            if 0 < level < levels - 1:
                down.append(normalization(norm, width))
            self.encoder.append(down)

        self.decoder = nn.ModuleList()
        for level in reversed(range(levels)):
            innermost, outermost = level == levels - 1, level == 0
            before = 2 * channels[level] if skips and not innermost else channels[level]  # the skip doubles them
            width = out_channels if outermost else channels[level - 1]
            up = nn.Sequential(nn.ReLU(), *upsample(before, width, upsampling, bias or outermost))
            if outermost:
                up.append(nn.Tanh())
            else:
                up.append(normalization(norm, width))
                if dropout > 0 and 4 <= level < levels - 1:
                    up.append(nn.Dropout(dropout))
            self.decoder.append(up)

        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        """Translate pictures N x in_channels x H x W in [-1, 1]; H and W multiples of 2**levels."""
        self.check(x)
        encoded = []
        for down in self.encoder:
            x = down(x)  # half the size at each level
            encoded.append(x)
        x = self.decoder[0](encoded.pop())  # innermost: nothing beside it to skip to
        for up in self.decoder[1:]:
            x = up(torch.cat([encoded.pop(), x], dim=1) if self.skips else x)  # twice the size at each level
        return x


class ResNetGenerator(Generator):
    """Generator of Johnson et al. (2016) as CycleGAN and the pix2pix reference use it.

    c7s1-64, d128, d256, ``blocks`` residual blocks R256, u128, u64, c7s1-out; reflection padding, sides that are
    multiples of 4. Parameters for 3 channels in and out and batch norm: 7,841,411 (6 blocks), 11,383,427 (9 blocks).

    Args:
        in_channels: channels of the input picture.
        out_channels: channels of the output picture.
        base_channels: channels after the first convolution; the residual blocks have 4 times as many.
        blocks: how many residual blocks: 6 for pictures up to 128, 9 for 256 and more.
        norm: normalization after every convolution but the last.
        dropout: probability of zeroing an element inside each residual block; 0 for none, 0.5 in the reference.
        upsampling: ``transposed`` convolutions as in the paper; or ``resize`` (nearest, then a 3 x 3 convolution),
            which leaves no checkerboard pattern (Odena et al. 2016).

    Raises:
        ValueError: fewer than 1 block, or an unknown ``norm`` or ``upsampling``.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        base_channels: int = 64,
        blocks: int = 9,
        norm: Norm = "batch",
        dropout: float = 0.0,
        upsampling: Upsampling = "transposed",
    ) -> None:
        if blocks < 1:
            raise ValueError(f"blocks must be at least 1; got {blocks}")
        require_channels(base_channels=base_channels)
        require_dropout(dropout)
        super().__init__(in_channels, out_channels, stride=4)
        c, bias = base_channels, needs_bias(norm)

        self.stem = nn.Sequential(
            ReflectionPad(3), nn.Conv2d(in_channels, c, 7, bias=bias), normalization(norm, c), nn.ReLU()
        )
        self.down = nn.Sequential()
        for before, width in (c, 2 * c), (2 * c, 4 * c):
            self.down.append(nn.Conv2d(before, width, 3, stride=2, padding=1, bias=bias))
            self.down.extend([normalization(norm, width), nn.ReLU()])
        self.blocks = nn.Sequential(*[ResidualBlock(4 * c, norm, dropout) for _ in range(blocks)])
        self.up = nn.Sequential()
        for before, width in (4 * c, 2 * c), (2 * c, c):
            self.up.extend(upsample(before, width, upsampling, bias, kernel=3))
            self.up.extend([normalization(norm, width), nn.ReLU()])
        self.head = nn.Sequential(ReflectionPad(3), nn.Conv2d(c, out_channels, 7), nn.Tanh())

        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        """Translate pictures N x in_channels x H x W in [-1, 1]; H and W multiples of 4, at least 8."""
        self.check(x)
        x = self.stem(x)  # H x W
        x = self.down(x)  # H/4 x W/4
        x = self.blocks(x)
        x = self.up(x)  # H x W
        return self.head(x)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside an identity; no activation after the sum."""

    def __init__(self, channels: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        bias = needs_bias(norm)
        self.residual = nn.Sequential(
            ReflectionPad(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            normalization(norm, channels),
            nn.ReLU(),
            *([nn.Dropout(dropout)] if dropout > 0 else []),
            ReflectionPad(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            normalization(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Compute x + F(x)."""
        return x + self.residual(x)


def upsample(before: int, width: int, upsampling: Upsampling, bias: bool, kernel: int = 4) -> list[nn.Module]:
    """Build the layers that double the size and change the channels from ``before`` to ``width``."""
    if upsampling == "transposed":
        if kernel == 4:
            return [UpConv2d(before, width, bias)]
        # Kernel 3 gives twice the size with one more row and column.
        return [nn.ConvTranspose2d(before, width, kernel, stride=2, padding=1, output_padding=1, bias=bias)]
    if upsampling == "resize":
        return [
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(before, width, 3, padding=1, bias=bias),
        ]
    raise ValueError(f"upsampling must be transposed or resize; got {upsampling!r}")
