from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import nn
from torch.testing import assert_close

from multitask import ResNetEncoder


@pytest.mark.parametrize(("name", "channels"), [("resnet18", 512), ("resnet50", 2048)])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_the_features(name: Any, channels: int, stride: Any) -> None:
    encoder = ResNetEncoder(name, output_stride=stride).eval()
    with torch.no_grad():
        features = encoder(torch.rand(1, 3, 64, 96))
    assert (encoder.channels, encoder.stride) == (channels, stride)
    assert features.shape == (1, channels, 64 // stride, 96 // stride)


def test_without_dilation_it_is_torchvisions_network_with_torchvisions_normalization(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = torchvision.models.resnet18(weights=None).eval()
    torch.save(network.state_dict(), tmp_path / "whole.pth")
    torch.save({k: v for k, v in network.state_dict().items() if not k.startswith("fc.")}, tmp_path / "features.pth")
    images = torch.rand(1, 3, 64, 64)
    trunk = nn.Sequential(*list(network.children())[:-2])
    preset = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms(crop_size=64, resize_size=64)
    for file in "whole.pth", "features.pth":
        encoder = ResNetEncoder("resnet18", str(tmp_path / file), output_stride=32).eval()
        with torch.no_grad():
            assert_close(encoder(images), trunk(preset(images)))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "stride"), [("resnet18", 16), ("resnet18", 8), ("resnet50", 8)])
def test_the_coarse_features_are_among_the_fine_ones(name: Any, stride: Any, tmp_path: Path) -> None:
    """Dilation adds places in between; it changes none."""
    torch.manual_seed(3)
    torch.save(torchvision.models.get_model(name, weights=None).state_dict(), tmp_path / "weights.pth")
    coarse, fine = (
        ResNetEncoder(name, str(tmp_path / "weights.pth"), output_stride=s).double().eval() for s in (32, stride)
    )
    images, step = torch.rand(1, 3, 64, 96, dtype=torch.float64), 32 // stride
    with torch.no_grad():
        expected, features = coarse(images), fine(images)
    assert_close(features[..., ::step, ::step], expected)
    assert not torch.allclose(features[..., 1::step, ::step], expected)


def test_bad_options_and_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name must be one of resnet18"):
        ResNetEncoder("resnet1001")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="output_stride must be 8, 16 or 32; got 4"):
        ResNetEncoder("resnet18", output_stride=4)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match=r"weights must be a file or one of IMAGENET1K_V1.*; there is no mine"):
        ResNetEncoder("resnet18", "mine")
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth are not those of resnet18: conv1\.weight is missing or"):
        ResNetEncoder("resnet18", str(tmp_path / "other.pth"))
