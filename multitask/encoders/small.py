"""A small encoder, for runs without a GPU."""

import torch
from torch import Tensor, nn

from multitask.encoders.encoder import Encoder, Normalize


class SmallEncoder(Encoder):
    """A residual network that trains in minutes without a GPU: stride 4, the last blocks dilated instead of coarser.

    Pictures in [0, 1] are brought to [-1, 1] first.

    Args:
        width: channels of the first layer, at least 1; the features have four times as many.
        blocks: residual blocks after the first three, at least 0, with dilations 2, 4, 2, 4 ...
    """

    def __init__(self, width: int = 24, blocks: int = 4) -> None:
        if width < 1 or blocks < 0:
            raise ValueError(f"width must be at least 1 and blocks at least 0; got {width} and {blocks}")
        super().__init__(4 * width, 4)
        self.normalize = Normalize([0.5] * 3, [0.5] * 3)
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(
            ResidualBlock(width, 2 * width, stride=2),
            ResidualBlock(2 * width, 2 * width),
            ResidualBlock(2 * width, 4 * width),
            *(ResidualBlock(4 * width, 4 * width, dilation=2 + 2 * (block % 2)) for block in range(blocks)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Compute the features of pictures N x 3 x H x W in [0, 1]."""
        features: Tensor = self.blocks(self.stem(self.normalize(images)))
        return features


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
