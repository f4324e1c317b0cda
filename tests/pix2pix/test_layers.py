import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from pix2pix import ResNetGenerator
from pix2pix.layers import ReflectionPad, reflect


@pytest.mark.parametrize(("height", "width", "padding"), [(8, 8, 3), (4, 5, 3), (16, 12, 1), (2, 2, 1), (30, 7, 3)])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_reflections_and_their_gradients_are_torchs_to_the_bit(
    height: int, width: int, padding: int, kind: torch.dtype
) -> None:
    """Also in corners, and where a pixel is reflected at both borders: there the order of a sum counts."""
    picture = torch.randn(2, 3, height, width, dtype=kind)
    ours, torchs = (picture.clone().requires_grad_() for _ in range(2))
    found, expected = reflect(ours, padding), nn.ReflectionPad2d(padding)(torchs)
    assert torch.equal(found, expected)
    weight = torch.randn_like(found)
    found.backward(weight), expected.backward(weight)
    assert ours.grad is not None
    assert torchs.grad is not None
    if kind == torch.float32:
        assert torch.equal(ours.grad, torchs.grad)
    else:
        torch.testing.assert_close(ours.grad, torchs.grad)  # torch may add up in float32


def test_torchs_own_is_taken_unless_it_would_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA alone has no deterministic gradient of it; fake tensors say that they are there."""
    taken: list[int] = []
    monkeypatch.setattr("pix2pix.layers.reflect", lambda x, padding: taken.append(padding) or reflect(x, padding))
    pad = ReflectionPad(3)
    with FakeTensorMode():
        for device, deterministic, expected in ("cuda", True, [3]), ("cuda", False, []), ("cpu", True, []):
            torch.use_deterministic_algorithms(deterministic)
            taken.clear()
            assert pad(torch.empty(1, 3, 8, 8, device=device)).shape == (1, 3, 14, 14)
            assert taken == expected, device


def test_the_generator_keeps_the_places_of_its_weights() -> None:
    """Padding has none, and stands where torch's own stood: checkpoints and the reference's weights fit."""
    network = ResNetGenerator(base_channels=4, blocks=1)
    places = [name for name, module in network.named_modules() if isinstance(module, nn.ReflectionPad2d)]
    assert places == ["stem.0", "blocks.0.residual.0", "blocks.0.residual.4", "head.0"]
    assert all(isinstance(network.get_submodule(name), ReflectionPad) for name in places)
    assert "stem.1.weight" in network.state_dict()
