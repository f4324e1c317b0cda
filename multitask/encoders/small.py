"""A small encoder, for runs without a GPU."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from multitask.encoders.encoder import Encoder, Normalize

OutputStride = Literal[4, 16]


class SmallEncoder(Encoder):
    """A residual network that trains in minutes without a GPU.

    Pictures in [0, 1] are brought to [-1, 1] first.

    Args:
        width: channels of the first layer, at least 1.
        blocks: residual blocks after the first three, at least 0; at least 2 with an output stride of 16.
        output_stride: of the coarsest features. With 16 there are features of the strides 2, 4, 8 and 16, of 1, 2, 4
            and 8 times ``width`` channels. With 4 there are only those of stride 4, of 4 times ``width``, and the last
            blocks are dilated by 2, 4, 2, 4 ... instead of strided (Chen et al. 2017): slower, and less sharp.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(self, width: int = 24, blocks: int = 4, output_stride: OutputStride = 4) -> None:
        if width < 1 or blocks < 0:
            raise ValueError(f"width must be at least 1 and blocks at least 0; got {width} and {blocks}")
        if output_stride not in get_args(OutputStride):
            raise ValueError(f"output_stride must be 4 or 16; got {output_stride}")
        strided = output_stride == 16
        if strided and blocks < 2:
            raise ValueError(f"blocks must be at least 2 for an output_stride of 16; got {blocks}")
        if strided:
            super().__init__([width, 2 * width, 4 * width, 8 * width], [2, 4, 8, 16])
        else:
            super().__init__([4 * width], [4])
        self.levels = (0, 2, 4, -1) if strided else (-1,)  # after which layers: the stem, and blocks
        self.normalize = Normalize([0.5] * 3, [0.5] * 3)
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        more = (
            [
                ResidualBlock(4 * width, 4 * width),
                ResidualBlock(4 * width, 8 * width, stride=2),
                *(ResidualBlock(8 * width, 8 * width) for _ in range(blocks - 2)),
            ]
            if strided
            else [ResidualBlock(4 * width, 4 * width, dilation=2 + 2 * (block % 2)) for block in range(blocks)]
        )
        self.blocks = nn.Sequential(
            ResidualBlock(width, 2 * width, stride=2),
            ResidualBlock(2 * width, 2 * width),
            ResidualBlock(2 * width, 4 * width, stride=2 if strided else 1),
            *more,
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the features of pictures N x 3 x H x W in [0, 1], the finest first."""
        features = [self.stem(self.normalize(images))]
        for block in self.blocks:
            features.append(block(features[-1]))
        return [features[level] for level in self.levels]


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm beside a shortcut (He et al. 2016), which averages before it strides.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        stride: of the first convolution.
        dilation: of both convolutions.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential()
        if stride > 1:
            # Not a 1 x 1 convolution with a stride, which does not look at three of four features (He et al. 2019), and
            # whose gradients on a CPU are wrong, or crash, for few channels in channels_last (oneDNN's issue 6035).
            self.shortcut.append(nn.AvgPool2d(stride, ceil_mode=True))
        if inputs != outputs:
            self.shortcut.extend([nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)])

    def forward(self, x: Tensor) -> Tensor:
        """Add the output of the convolutions to the shortcut."""
        return torch.relu(self.body(x) + self.shortcut(x))
