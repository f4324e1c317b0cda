import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from inference.picture_statistics import PictureStatistics, ReplacedNorms, untracked
from inference.sizes import Box, crop

TILES = Box(0, 0, 8, 20), Box(0, 4, 8, 20)  # of a picture of 8 x 24: they share 16 columns
CORES = Box(0, 0, 8, 12), Box(0, 8, 8, 12)  # where the half of the picture that each one is to give is in the tile


def in_two_tiles(network: nn.Module, picture: Tensor, norms: int) -> Tensor:
    """Put the halves of two overlapping tiles together, for a network that looks at nothing around its pixels."""
    tiles = torch.stack([crop(picture, box) for box in TILES])
    statistics = PictureStatistics(network)
    for _ in range(norms):
        for tile, core in zip(tiles, CORES, strict=True):
            statistics.measure(tile[None], [core])
        statistics.fix()
    return torch.cat([crop(tile, core) for tile, core in zip(statistics.run(tiles), CORES, strict=True)], dim=-1)


class Twice(nn.Module):
    """Calls one norm for two things."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(4, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.norm(x).square() + 3)


class BatchNormAndReLU(nn.BatchNorm2d):
    """A norm with a forward of its own."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).relu()


def drawn(norm: nn.Module) -> nn.Module:
    """Give a norm a scale and a shift, and running statistics unlike those of any picture."""
    for weight in norm.parameters():
        nn.init.normal_(weight)
    for buffer in norm.buffers():
        if buffer.is_floating_point():
            nn.init.constant_(buffer, 7)
    return norm


@pytest.mark.parametrize(
    ("network", "norms"),
    [
        (nn.InstanceNorm2d(4), 1),
        (drawn(nn.InstanceNorm2d(4, affine=True, eps=0.1)), 1),
        (drawn(nn.InstanceNorm2d(4, affine=True, track_running_stats=True)), 1),
        (drawn(nn.BatchNorm2d(4, eps=0.1)), 1),
        (drawn(nn.BatchNorm2d(4, track_running_stats=False)).eval(), 1),
        (drawn(nn.BatchNorm2d(4)).eval(), 0),
        (drawn(nn.GroupNorm(2, 4)), 1),
        (nn.GroupNorm(1, 4, affine=False), 1),
        (Twice(), 2),
        (drawn(BatchNormAndReLU(4)), 1),
        (
            nn.Sequential(nn.Conv2d(4, 8, 4, 4), nn.InstanceNorm2d(8), nn.PixelShuffle(2), nn.Upsample(scale_factor=2)),
            1,
        ),
        (nn.Sequential(nn.Upsample(scale_factor=2), nn.BatchNorm2d(4), nn.AvgPool2d(2)), 1),
    ],
)
def test_tiles_are_normalized_as_the_whole_picture(network: nn.Module, norms: int) -> None:
    picture = torch.linspace(0, 3, 24) + 0.1 * torch.randn(4, 8, 24)  # no tile has the statistics of the picture
    before = copy.deepcopy(network.state_dict())
    with torch.no_grad():
        tiles = in_two_tiles(network, picture, norms)
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
        assert_close(tiles, network(picture[None])[0])


def test_statistics_of_half_precision_are_those_of_its_values() -> None:
    """Their sum would be wrong by 1 in 256: bfloat16 has 8 bits."""
    picture = (100 + torch.rand(4, 8, 24)).to(torch.bfloat16)
    statistics = PictureStatistics(nn.InstanceNorm2d(4))
    for part in (Box(0, 0, 8, 4), Box(0, 4, 8, 20)):
        statistics.measure(crop(picture, part)[None], [Box(0, 0, part.height, part.width)])
    statistics.fix()
    output = statistics.run(picture[None])
    assert output.dtype == torch.bfloat16
    assert_close(output, F.instance_norm(picture[None].double()).to(torch.bfloat16), atol=0.01, rtol=0)


def test_only_what_uses_statistics_of_its_input_is_replaced() -> None:
    x, mean, variance = torch.randn(2, 4, 3, 3), torch.zeros(4), torch.ones(4)
    with ReplacedNorms(lambda norm: norm.input + norm.groups):
        assert_close(F.batch_norm(x, mean, variance, training=True), x + 4)
        assert_close(F.instance_norm(x), x + 4)
        assert_close(F.group_norm(x, 2), x + 2)
        assert_close(F.batch_norm(x, mean, variance, eps=0), x)
        assert_close(F.instance_norm(x, mean, variance, use_input_stats=False, eps=0), x)
    assert F.instance_norm(x).mean().abs() < 1e-6


class FailingError(Exception):
    """An error in the middle of a network."""


def test_an_error_leaves_nothing_behind() -> None:
    def fail(*_: object) -> None:
        raise FailingError

    network = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU())
    before = copy.deepcopy(network.state_dict())
    hook = network[1].register_forward_hook(fail)
    statistics = PictureStatistics(network)
    tile = torch.randn(1, 4, 8, 8)
    statistics.measure(tile, [Box(0, 0, 8, 8)])
    statistics.fix()
    with pytest.raises(FailingError):
        statistics.run(tile)
    hook.remove()
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert_close(network(tile), F.batch_norm(tile, None, None, training=True).relu())
    assert int(network[0].num_batches_tracked) == 1  # it trains on


def test_running_statistics_are_hidden_from_norms_in_training_mode_only() -> None:
    network = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm2d(2).eval())
    with untracked(network):
        assert network[0].running_mean is None
        assert network[1].running_mean is not None
    assert network[0].running_mean is not None


def test_features_that_are_no_tile_are_refused() -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(5), nn.InstanceNorm2d(4))
    with pytest.raises(ValueError, match=r"features of 5 x 5 .* tiles of 8 x 8"):
        PictureStatistics(network).measure(torch.randn(1, 4, 8, 8), [Box(0, 0, 8, 4)])
    with pytest.raises(ValueError, match="features of 64 "):
        PictureStatistics(nn.Sequential(nn.Flatten(2), nn.BatchNorm1d(4))).measure(
            torch.randn(1, 4, 8, 8), [Box(0, 0, 8, 4)]
        )


def test_another_mode_than_was_planned_for_is_refused() -> None:
    tile, box = torch.randn(1, 4, 8, 8), Box(0, 0, 8, 8)
    with pytest.raises(ValueError, match="no further norm"):
        PictureStatistics(nn.BatchNorm2d(4).eval()).measure(tile, [box])
    with pytest.raises(ValueError, match="a norm without statistics"):
        PictureStatistics(nn.BatchNorm2d(4)).run(tile)
