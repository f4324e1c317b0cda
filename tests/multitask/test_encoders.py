from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import nn
from torch.testing import assert_close

from multitask import ResNetEncoder, SmallEncoder


@pytest.mark.parametrize("blocks", [0, 3])
def test_the_small_encoders_features(blocks: int) -> None:
    encoder = SmallEncoder(width=4, blocks=blocks)
    assert (encoder.channels, encoder.stride) == (16, 4)
    assert encoder(torch.randn(2, 3, 32, 24)).shape == (2, 16, 8, 6)


@pytest.mark.parametrize(("name", "channels"), [("resnet18", 512), ("resnet50", 2048)])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_the_resnets_features(name: Any, channels: int, stride: Any) -> None:
    encoder = ResNetEncoder(name, output_stride=stride).eval()
    with torch.no_grad():
        features = encoder(torch.randn(1, 3, 64, 96))
    assert (encoder.channels, encoder.stride) == (channels, stride)
    assert features.shape == (1, channels, 64 // stride, 96 // stride)


def test_without_dilation_it_is_torchvisions_network(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = torchvision.models.resnet18(weights=None).eval()
    torch.save(network.state_dict(), tmp_path / "whole.pth")
    torch.save({k: v for k, v in network.state_dict().items() if not k.startswith("fc.")}, tmp_path / "features.pth")
    images = torch.randn(1, 3, 64, 64)
    trunk = nn.Sequential(*list(network.children())[:-2])
    for file in "whole.pth", "features.pth":
        encoder = ResNetEncoder("resnet18", str(tmp_path / file), output_stride=32).eval()
        with torch.no_grad():
            assert_close(encoder(images), trunk(images))


def test_dilation_keeps_the_coarse_features_among_the_fine_ones(tmp_path: Path) -> None:
    """Every second feature of the dilated network sees what the strided one saw, away from the padding."""
    torch.manual_seed(3)
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "weights.pth")
    coarse, fine = (
        ResNetEncoder("resnet18", str(tmp_path / "weights.pth"), output_stride=stride).eval() for stride in (32, 16)
    )
    images = torch.zeros(1, 3, 256, 256)  # constant: only the padding could tell places apart
    with torch.no_grad():
        assert_close(fine(images)[..., 8, 8], coarse(images)[..., 4, 4])


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
    with pytest.raises(ValueError, match="width must be at least 1 and blocks at least 0; got 0 and 4"):
        SmallEncoder(width=0)
