import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from inference.geometry import Geometry, geometry_of
from pix2pix.generators import ResNetGenerator, UNetGenerator
from pix2pix.layers import Norm


class Everywhere(nn.Module):
    """Weighs each channel by its mean, as squeeze-and-excitation does."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x.mean((2, 3), keepdim=True)


class Halved(nn.Module):
    """Two convolutions at half the resolution, of which one sees every other pixel only."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 4, 2, stride=2)
        self.wide = nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2)
        self.up = nn.Upsample(scale_factor=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.wide(self.down(x)))


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("levels", [2, 3, 5, 8])
def test_a_unet_looks_two_strides_far(levels: int, norm: Norm) -> None:
    """One of the innermost features sees 3 * 2**levels - 2 pixels, and reaches as many: 2 * 2**levels - 1 beyond."""
    network = UNetGenerator(base_channels=2, levels=levels, norm=norm)
    geometry = geometry_of(network, channels=3, stride=network.stride)
    assert (geometry.stride, geometry.least, geometry.margin) == (2**levels, 2**levels, 2 * 2**levels)


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("blocks", [1, 2, 6, 9])
def test_a_resnet_looks_as_far_as_its_kernels(blocks: int, norm: Norm) -> None:
    """Pixels: 3 of the stem, 8 a block for two convolutions at a quarter of the size, 5 between sizes, 3 of the head.

    Its residual blocks reflect at a quarter of the size, which 4 pixels are too few for.
    """
    network = ResNetGenerator(base_channels=2, blocks=blocks, norm=norm)
    geometry = geometry_of(network, channels=3, stride=network.stride)
    assert geometry.margin == -(-(3 + 8 * blocks + 5 + 3) // 4) * 4
    assert geometry.least == 8


@pytest.mark.parametrize(
    ("network", "stride", "margin"),
    [
        (nn.Conv2d(1, 1, 1), 1, 0),
        (nn.Conv2d(1, 1, (3, 9), padding=(1, 4)), 1, 4),
        (nn.Conv2d(1, 1, (9, 3), padding=(4, 1)), 1, 4),
        (nn.Sequential(nn.ZeroPad2d((6, 0, 0, 0)), nn.Conv2d(1, 1, (1, 7))), 1, 6),  # looks to the left only
        (nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(20))), 1, 20),
        (nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(5, 1, 2)), 1, 3),
        (Halved(), 2, 4),
        (nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(16, 16, 3, padding=1), nn.PixelShuffle(4)), 4, 4),
        (parametrizations.spectral_norm(nn.Conv2d(1, 1, 5, padding=2)), 1, 2),
        (nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4)), 1, 1),
        (nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True)), 1, 1),
        (nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), Everywhere()), 1, None),
    ],
)
def test_the_margin_is_what_the_kernels_reach(network: nn.Module, stride: int, margin: int | None) -> None:
    assert geometry_of(network, 1, stride).margin == margin


def test_norms_by_statistics_of_the_picture_are_counted_in_the_mode_they_are_in() -> None:
    network = nn.Sequential(
        nn.BatchNorm2d(2),
        nn.BatchNorm2d(2, track_running_stats=False),
        nn.InstanceNorm2d(2),
        nn.InstanceNorm2d(2, track_running_stats=True),
    )
    assert geometry_of(network.train(), 2, 4).norms == 4
    assert geometry_of(network.eval(), 2, 4).norms == 2
    network[0].train()
    assert geometry_of(network, 2, 4).norms == 3


def test_a_norm_with_one_value_asks_for_a_larger_picture() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 4, stride=4), nn.InstanceNorm2d(1), nn.Upsample(scale_factor=4))
    assert geometry_of(network, 1, 4).least == 8


class Skip(nn.Module):
    """Keeps its input beside what it computes of it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return x + self.network(x)


def test_memory_is_that_of_the_outputs_that_exist_together() -> None:
    """Of each pixel: 2, then 2 + 2, then 2 + 8 values; with a skip, 3 of the layer before it as well."""
    network = nn.Sequential(nn.Conv2d(1, 8, 2, stride=2), nn.ReLU(), nn.Upsample(scale_factor=2), nn.Dropout())
    assert geometry_of(network, 1, 2).memory == 4 * (2 + 8)
    assert geometry_of(network.to(torch.bfloat16), 1, 2).memory == 2 * (2 + 8)
    network = nn.Sequential(nn.Conv2d(1, 3, 1), Skip(nn.Sequential(nn.InstanceNorm2d(3), nn.Conv2d(3, 3, 1))))
    assert geometry_of(network, 1, 2).memory == 4 * (3 + 3 + 3)


def test_the_network_and_the_random_numbers_stay_as_they_are() -> None:
    network = UNetGenerator(base_channels=2, levels=6, norm="batch")  # with dropout, in training mode
    before, state = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    geometry_of(network, 3, 64)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert all(module.training for module in network.modules())


def test_a_network_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="Conv2d turns 2 x 2 pixels into 1 x 1"):
        geometry_of(nn.Conv2d(1, 1, 2), 1, 2)
    with pytest.raises(ValueError, match="it takes 3"):  # what the network says itself
        geometry_of(UNetGenerator(base_channels=2, levels=2), 1, 4)


def test_geometry_is_the_same_for_weights_that_are_zero() -> None:
    network = ResNetGenerator(base_channels=2, blocks=1, norm="instance")
    expected = geometry_of(network, 3, 4)
    for weight in network.parameters():
        nn.init.zeros_(weight)
    assert geometry_of(network, 3, 4) == expected == Geometry(4, 8, 20, 7, expected.memory)
