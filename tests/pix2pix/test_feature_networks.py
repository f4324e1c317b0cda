"""The networks of FID and KID: Inception's features are torchmetrics' own."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchmetrics.image.fid import NoTrainInceptionV3

from inference.lite0 import Lite0Features
from pix2pix.feature_networks import WEIGHTS, Inception, Lite0, feature_network


def write_inception(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write weights of an Inception that has learned nothing."""
    torch.save({}, file)
    with monkeypatch.context() as patched:
        patched.setattr(nn.Module, "load_state_dict", lambda self, state: None)
        network = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(file))
    torch.save(network.state_dict(), file)


@pytest.mark.slow
def test_inception_is_torchmetrics_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / WEIGHTS
    write_inception(file, monkeypatch)
    ours, theirs = feature_network(str(file)), NoTrainInceptionV3("inception-v3-compat", ["2048"], str(file))
    assert isinstance(ours, Inception)
    assert ours.suffix == ""
    eight_bits = torch.randint(0, 256, (2, 3, 32, 48), dtype=torch.uint8)
    features = ours(eight_bits / 255)
    assert features.shape == (2, ours.num_features)
    torch.testing.assert_close(features, theirs(eight_bits), rtol=1e-6, atol=0)
    assert not torch.allclose(features[0], features[1], rtol=1e-2, atol=0)


def test_lite0_sees_pictures_in_128_pixels() -> None:
    network = feature_network("efficientnet_lite0")
    assert isinstance(network, Lite0)
    assert network.suffix == "_efficientnet"
    pictures = torch.rand(2, 3, 40, 24)
    resized = F.interpolate(pictures, (128, 128), mode="bilinear", antialias=True)
    assert network(pictures).shape == (2, network.num_features)
    torch.testing.assert_close(network(pictures), Lite0Features().pooled(resized))


def test_what_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ValueError, match=r"metrics.features must be inception, efficientnet_lite0 or a file .*; got vgg"
    ):
        feature_network("vgg")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ValueError, match=rf"the weights of Inception are not there \(.*put {WEIGHTS}") as error:
        feature_network(str(tmp_path / "text.pth"))
    assert "\n" not in str(error.value)
    monkeypatch.setattr("torchmetrics.image.fid._TORCH_FIDELITY_AVAILABLE", False)
    with pytest.raises(ModuleNotFoundError, match=r"fid and kid need torch-fidelity: pip install -e '.\[metrics\]'"):
        feature_network("inception")
