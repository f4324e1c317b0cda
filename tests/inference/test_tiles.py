import copy
from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.testing import assert_close

from inference.geometry import Geometry, geometry_of
from inference.sizes import Box, Read, crop, pad
from inference.tiles import Plan, Tile, default_tile, plan_tiles, run_in_tiles
from pix2pix.generators import Generator, ResNetGenerator, UNetGenerator, Upsampling
from pix2pix.layers import Norm

Mode = Literal["batch", "batch of the picture", "instance", "none"]


def generator(kind: type[Generator], size: int, mode: Mode, upsampling: Upsampling = "transposed") -> Generator:
    """Build a generator in double precision, of random weights that let nothing that it sees fade.

    So a difference of 1e-9 is more than rounding.
    """
    norm: Norm = "batch" if mode == "batch of the picture" else mode
    options = {"levels" if kind is UNetGenerator else "blocks": size, "norm": norm, "upsampling": upsampling}
    network = kind(base_channels=4, **options).eval()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2)
            layer.train(mode == "batch of the picture")
    return network.double()


def drawn(height: int, width: int) -> Tensor:
    return 2 * torch.rand(3, height, width, dtype=torch.float64) - 1


def reader(picture: Tensor) -> Read:
    return lambda box: crop(picture, box)


def whole(network: nn.Module, picture: Tensor, geometry: Geometry) -> Tensor:
    with torch.no_grad():
        output = copy.deepcopy(network)(pad(picture, geometry.stride, geometry.least)[None])[0]
    return output[:, : picture.shape[1], : picture.shape[2]]


def put_together(tiles: list[Tile], size: tuple[int, int]) -> Tensor:
    """Join tiles, and require that they are a partition of the picture in the order of rows."""
    output = torch.full((len(tiles[0].output), *size), torch.nan, dtype=tiles[0].output.dtype)
    for box, pixels, _ in tiles:
        assert crop(output, box).isnan().all()
        assert pixels.shape[1:] == (box.height, box.width)
        crop(output, box).copy_(pixels)
    assert not output.isnan().any()
    assert [tile.box[:2] for tile in tiles] == sorted(tile.box[:2] for tile in tiles)
    return output


@pytest.mark.parametrize("mode", ["batch", "batch of the picture", "instance", "none"])
@pytest.mark.parametrize(
    ("kind", "size", "picture_size", "tile", "batch"),
    [
        (UNetGenerator, 2, (61, 17), 20, 3),
        (UNetGenerator, 3, (53, 131), 50, 1),
        (UNetGenerator, 5, (1, 401), 160, 3),
        (UNetGenerator, 7, (100, 700), 640, 1),
        (ResNetGenerator, 2, (75, 131), 68, 3),
        (ResNetGenerator, 9, (23, 301), 200, 1),
    ],
)
def test_tiles_give_the_whole_picture(
    kind: type[Generator], size: int, picture_size: tuple[int, int], tile: int, batch: int, mode: Mode
) -> None:
    network, picture = generator(kind, size, mode), drawn(*picture_size)
    before = copy.deepcopy(network.state_dict())
    geometry = geometry_of(network, 3, network.stride)
    plan = plan_tiles(picture_size, geometry, tile)
    assert plan.exact
    assert plan.tiles > 1
    tiles = list(run_in_tiles(network, reader(picture), plan, batch=batch))
    assert len(tiles) == plan.tiles
    assert max(tile.seam for tile in tiles) == 0
    assert_close(put_together(tiles, picture_size), whole(network, picture, geometry), atol=1e-9, rtol=0)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("mode", ["batch of the picture", "none"])
@pytest.mark.parametrize(("kind", "size"), [(UNetGenerator, 3), (ResNetGenerator, 2)])
def test_tiles_give_the_whole_picture_by_resizing_too(kind: type[Generator], size: int, mode: Mode) -> None:
    network, picture = generator(kind, size, mode, "resize"), drawn(70, 150)
    geometry = geometry_of(network, 3, network.stride)
    tiles = list(run_in_tiles(network, reader(picture), plan_tiles((70, 150), geometry, 80)))
    assert_close(put_together(tiles, (70, 150)), whole(network, picture, geometry), atol=1e-9, rtol=0)


@pytest.mark.parametrize(("kind", "size"), [(UNetGenerator, 3), (ResNetGenerator, 2)])
def test_a_smaller_margin_would_not_be_enough(kind: type[Generator], size: int) -> None:
    network, picture = generator(kind, size, "none"), drawn(64, 256)
    geometry = geometry_of(network, 3, network.stride)
    errors = []
    for margin in (geometry.margin, geometry.margin - geometry.stride):
        plan = plan_tiles((64, 256), geometry._replace(margin=margin), 80)
        output = put_together(list(run_in_tiles(network, reader(picture), plan)), (64, 256))
        errors.append((output - whole(network, picture, geometry)).abs().max().item())
    assert errors[0] < 1e-9 < 1e-6 < errors[1]


def test_a_picture_of_one_tile_is_run_once_as_it_is() -> None:
    network, picture = generator(UNetGenerator, 3, "batch of the picture"), drawn(17, 30)
    before = copy.deepcopy(network.state_dict())
    geometry = geometry_of(network, 3, 8)
    plan = plan_tiles((17, 30), geometry, 32)
    assert (plan.tiles, plan.passes, plan.exact) == (1, 1, True)
    assert (plan.padded, plan.tile) == ((24, 32), (24, 32))
    ((box, output, seam),) = run_in_tiles(network, reader(picture), plan)
    assert torch.equal(output, whole(network, picture, geometry))
    assert (box, seam) == (Box(0, 0, 17, 30), 0)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("mode", ["batch of the picture", "none"])
def test_in_float32_tiles_differ_from_the_picture_by_rounding(mode: Mode) -> None:
    network, picture = generator(UNetGenerator, 5, mode).float(), drawn(100, 401).float()
    geometry = geometry_of(network, 3, 32)
    tiles = list(run_in_tiles(network, reader(picture), plan_tiles((100, 401), geometry, 160)))
    assert_close(put_together(tiles, (100, 401)), whole(network, picture, geometry), atol=2e-5, rtol=0)


def test_in_bfloat16_tiles_differ_from_the_picture_by_its_rounding() -> None:
    network, picture = generator(ResNetGenerator, 2, "instance").float(), drawn(75, 131).float()
    geometry = geometry_of(network, 3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = whole(network, picture, geometry).float()
        tiles = list(run_in_tiles(network, reader(picture), plan_tiles((75, 131), geometry, 68)))
    output = put_together(tiles, (75, 131))
    assert tiles[0].output.dtype == torch.bfloat16
    error, rounding = ((each - whole(network, picture, geometry)).abs().mean() for each in (output, rounded))
    assert error < 1.1 * rounding


def geometry(stride: int = 4, margin: int | None = 8, norms: int = 0, memory: int = 100) -> Geometry:
    return Geometry(stride, stride, margin, norms, memory)


def test_a_plan_says_what_will_happen() -> None:
    assert plan_tiles((25, 61), geometry(norms=2), 33) == Plan(
        size=(25, 61),
        padded=(28, 64),
        tile=(28, 32),
        rows=(0,),
        columns=(0, 16, 32),
        overlap=16,
        exact=True,
        stride=4,
        passes=3,
    )


@pytest.mark.parametrize(
    ("margin", "tile", "overlap", "planned"),
    [
        (8, 20, None, (16, True)),  # a core of one stride
        (8, 16, None, (4, False)),  # nothing would be left
        (None, 64, None, (16, False)),
        (0, 8, None, (0, True)),
        (8, 64, 9, (12, False)),
        (8, 64, 15, (16, True)),
        (8, 64, 32, (32, True)),
        (None, 9, None, (4, False)),
    ],
)
def test_the_overlap_is_what_makes_it_exact_or_a_quarter(
    margin: int | None, tile: int, overlap: int | None, planned: tuple[int, bool]
) -> None:
    plan = plan_tiles((400, 400), geometry(margin=margin), tile, overlap)
    assert (plan.overlap, plan.exact) == planned


@pytest.mark.parametrize("overlap", [None, 4, 8, 12, 16])
@pytest.mark.parametrize("width", [36, 40, 44, 48, 52, 100])
def test_tiles_begin_at_multiples_of_the_stride_and_share_at_least_the_overlap(width: int, overlap: int | None) -> None:
    plan = plan_tiles((8, width), geometry(), 32, overlap)
    assert plan.columns[0] == 0
    assert plan.columns[-1] == width - 32
    assert all(column % 4 == 0 for column in plan.columns)
    assert all(0 < b - a <= 32 - plan.overlap for a, b in zip(plan.columns, plan.columns[1:], strict=False))


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        (7, None, "tiles of 7 pixels are too small for this network, take 8 or more"),
        (32, 0, "cannot overlap by 0: take 1 to 16"),
        (16, 9, "cannot overlap by 12: take 1 to 8"),
        (16, 16, "cannot overlap by 16: take 1 to 8"),
    ],
)
def test_tiles_that_cannot_be_are_refused(tile: int, overlap: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_tiles((400, 400), geometry(), tile, overlap)


class Numbered(nn.Module):
    """Fills the n-th tile with the n-th number."""

    def __init__(self, numbers: list[float]) -> None:
        super().__init__()
        self.numbers = iter(numbers)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([torch.full_like(tile, next(self.numbers)) for tile in x])


def test_blended_tiles_fade_linearly_and_the_seam_is_the_change_of_the_nearer() -> None:
    plan = plan_tiles((8, 20), geometry(margin=None), 12, overlap=4)
    assert plan.columns == (0, 8)
    tiles = list(run_in_tiles(Numbered([1, 9]), reader(torch.zeros(1, 8, 20)), plan, batch=2))
    assert put_together(tiles, (8, 20))[0].tolist() == 8 * [[*8 * [1], 2, 4, 6, 8, *8 * [9]]]
    assert [tile.box for tile in tiles] == [Box(0, 0, 8, 8), Box(0, 8, 8, 12)]
    assert [tile.seam for tile in tiles] == [0, 0.375 * 8]


def test_four_tiles_blend_at_a_corner() -> None:
    plan = plan_tiles((12, 12), geometry(margin=None), 8, overlap=4)
    assert (plan.rows, plan.columns) == ((0, 4), (0, 4))
    tiles = list(run_in_tiles(Numbered([0, 8, 80, 88]), reader(torch.zeros(1, 12, 12)), plan))
    ramp = torch.tensor([*4 * [0], 0.125, 0.375, 0.625, 0.875, *4 * [1]])
    assert_close(put_together(tiles, (12, 12))[0], 80 * ramp[:, None] + 8 * ramp)
    assert [tile.seam for tile in tiles] == [0, 0.375 * 8, 0.375 * 80, 0.375 * 80]


@pytest.mark.parametrize("size", [(8, 9), (33, 41), (64, 21), (50, 50)])
@pytest.mark.parametrize("overlap", [4, 8])
def test_blending_what_agrees_changes_nothing(size: tuple[int, int], overlap: int) -> None:
    picture = torch.rand(2, *size)
    plan = plan_tiles(size, geometry(margin=None), 16, overlap)
    tiles = list(run_in_tiles(nn.Identity(), reader(picture), plan, batch=3))
    assert_close(put_together(tiles, size), picture)
    assert max(tile.seam for tile in tiles) == 0


def test_a_unet_in_tiles_too_small_for_its_margin_is_blended_and_tells_its_seams() -> None:
    network, picture = generator(UNetGenerator, 5, "instance"), drawn(100, 200)
    geometry = geometry_of(network, 3, 32)
    plan = plan_tiles((100, 200), geometry, 96)
    assert (plan.overlap, plan.exact) == (32, False)
    tiles = list(run_in_tiles(network, reader(picture), plan, batch=2))
    error = (put_together(tiles, (100, 200)) - whole(network, picture, geometry)).abs()
    assert 1e-4 < max(tile.seam for tile in tiles) < 1
    assert error.max() > 1e-4


class Counted(nn.Module):
    """Counts the pictures that it is given, and those that are still in memory."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.pictures = 0
        self.given: list[StorageWeakRef] = []

    def forward(self, x: Tensor) -> Tensor:
        self.pictures += len(x)
        self.given.append(StorageWeakRef(x.untyped_storage()))
        return self.network(x)

    def held(self) -> int:
        return sum(not storage.expired() for storage in self.given)


@pytest.mark.parametrize("margin", [0, None])
def test_tiles_are_read_and_run_when_they_are_asked_for_and_let_go(margin: int | None) -> None:
    network, picture = Counted(nn.Identity()), torch.rand(1, 64, 64)
    read: list[Box] = []

    def reading(box: Box) -> Tensor:
        read.append(box)
        return crop(picture, box)

    plan = plan_tiles((64, 64), geometry(margin=margin), 16)
    for number, tile in enumerate(run_in_tiles(network, reading, plan), start=1):
        assert network.pictures == len(read) == number
        assert tile.output.untyped_storage().nbytes() <= 4 * 16 * 16
        assert network.held() <= 2
    assert read == plan.windows


def test_passes_are_as_many_as_norms_and_progress_counts_their_tiles() -> None:
    network = Counted(nn.Sequential(nn.InstanceNorm2d(1), nn.Conv2d(1, 1, 3, padding=1), nn.InstanceNorm2d(1)))
    geometry = geometry_of(network, 1, 1)
    plan = plan_tiles((10, 30), geometry, 12)
    network.pictures, told = 0, []

    def progress(done: int, of: int) -> None:
        told.append((done, of))

    list(run_in_tiles(network, reader(torch.rand(1, 10, 30)), plan, batch=2, progress=progress))
    assert (plan.tiles, plan.passes, network.pictures) == (3, 3, 9)
    assert told == [(done, 9) for done in (2, 3, 5, 6, 8, 9)]


def test_gradients_are_recorded_by_the_consumer_but_not_by_tiles() -> None:
    network = nn.Conv2d(1, 1, 1)
    for tile in run_in_tiles(network, reader(torch.rand(1, 8, 20)), plan_tiles((8, 20), geometry(margin=0), 8)):
        assert not tile.output.requires_grad
        assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("free", "stride", "side"),
    [
        (4 * 100 * 1000**2, 4, 1000),
        (4 * 100 * 1000**2, 256, 768),
        (2**50, 256, 4096),
        (0, 256, 512),
    ],
)
def test_the_default_tile_takes_a_quarter_of_the_free_memory(
    free: int, stride: int, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.tiles.free_memory", lambda device: free)
    assert default_tile(geometry(stride), torch.device("cpu")) == side


def test_this_machine_has_memory_for_a_tile() -> None:
    assert default_tile(geometry(), torch.device("cpu")) > 8
