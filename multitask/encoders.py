"""Encoders: what makes features of pictures, for all tasks together."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from losses.pretrained import trained_weights

ResNet = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]


class Encoder(nn.Module):
    """Base of the encoders: makes N x ``channels`` x H/``stride`` x W/``stride`` of N x 3 x H x W.

    Args:
        channels: of the features.
        stride: how many pixels a feature stands for, along each side.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels = channels
        self.stride = stride


class SmallEncoder(Encoder):
    """A residual network that trains in minutes without a GPU: stride 4, the last blocks dilated instead of coarser.

    Args:
        width: channels of the first layer, at least 1; the features have four times as many.
        blocks: residual blocks after the first three, at least 0, with dilations 2, 4, 2, 4 ...
    """

    def __init__(self, width: int = 24, blocks: int = 4) -> None:
        if width < 1 or blocks < 0:
            raise ValueError(f"width must be at least 1 and blocks at least 0; got {width} and {blocks}")
        super().__init__(4 * width, 4)
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
        """Make the features of pictures N x 3 x H x W."""
        features: Tensor = self.blocks(self.stem(images))
        return features


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm beside a shortcut (He et al. 2016).

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
        same = stride == 1 and inputs == outputs
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add what the convolutions make of ``x`` to it."""
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNetEncoder(Encoder):
    """A ResNet of torchvision without its classifier, dilated so that its features stay fine.

    Pictures are expected as torchvision's weights know them: with the mean and standard deviation of ImageNet.

    Args:
        name: resnet18, resnet34, resnet50, resnet101 or resnet152.
        weights: None starts from scratch; one of torchvision's names, such as IMAGENET1K_V2, downloads; the path of a
            file holds a state_dict of this network, with or without its classifier.
        output_stride: 8, 16 or 32: the last blocks are dilated instead of strided (Chen et al. 2017). Smaller is finer
            and slower.

    Raises:
        ValueError: an unknown network or stride, or a file with another network's weights.
        OSError: the weights cannot be read or downloaded.
    """

    def __init__(
        self,
        name: ResNet = "resnet50",
        weights: str | None = None,
        output_stride: Literal[8, 16, 32] = 8,
    ) -> None:
        import torchvision

        if name not in get_args(ResNet):
            raise ValueError(f"name must be one of {', '.join(get_args(ResNet))}; got {name!r}")
        if output_stride not in (8, 16, 32):
            raise ValueError(f"output_stride must be 8, 16 or 32; got {output_stride}")
        network = torchvision.models.get_model(name, weights=None)
        super().__init__(network.fc.in_features, output_stride)
        if weights is not None:
            _load(network, name, weights)
        if output_stride <= 16:
            dilate(network.layer4, 32 // output_stride)
        if output_stride == 8:
            dilate(network.layer3, 2)
        self.stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        self.layers = nn.Sequential(network.layer1, network.layer2, network.layer3, network.layer4)

    def forward(self, images: Tensor) -> Tensor:
        """Make the features of pictures N x 3 x H x W."""
        features: Tensor = self.layers(self.stem(images))
        return features


def dilate(layers: nn.Module, rate: int) -> None:
    """Let convolutions look as far as before without striding: weights stay as they are.

    Args:
        layers: whose convolutions, 1 x 1 and 3 x 3, lose their stride.
        rate: the dilation of the 3 x 3 ones.
    """
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
            if layer.kernel_size == (3, 3):
                layer.dilation = layer.padding = (rate, rate)


def _load(network: nn.Module, name: str, weights: str) -> None:
    state, _ = trained_weights(name, weights)
    own = {key: tensor for key, tensor in network.state_dict().items() if not key.startswith("fc.")}
    state = {key: tensor for key, tensor in state.items() if not key.startswith("fc.")}
    wrong = [
        key for key in {**own, **state} if key not in own or key not in state or own[key].shape != state[key].shape
    ]
    if wrong:
        raise ValueError(f"weights {weights} are not those of {name}: {wrong[0]} is missing or of another shape")
    network.load_state_dict(state, strict=False)
