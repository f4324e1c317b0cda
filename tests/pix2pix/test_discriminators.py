import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from pix2pix import MultiScaleDiscriminator, PatchDiscriminator

# layers: (receptive field, parameters with 6 input channels and batch norm), of the reference
FACTS = {
    0: (1, 9_025),
    1: (16, 139_585),
    2: (34, 666_433),
    3: (70, 2_768_705),
    4: (142, 6_964_033),
    5: (286, 11_159_361),
    6: (574, 15_354_689),
}


@pytest.mark.parametrize("layers", FACTS)
def test_parameters_are_the_references(layers: int) -> None:
    assert sum(p.numel() for p in PatchDiscriminator(layers=layers).parameters()) == FACTS[layers][1]


@pytest.mark.parametrize("layers", FACTS)
def test_receptive_field_measured_by_gradient(layers: int) -> None:
    field = FACTS[layers][0]
    network = PatchDiscriminator(1, base_channels=1, layers=layers, norm="none").double()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.ones_(module.weight)
    size = max(3 * 2**layers, field + 2 * 2**layers)
    x = torch.ones(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    scores = network(x)
    row = scores.shape[-1] // 2
    (gradient,) = torch.autograd.grad(scores[0, 0, row, row], x)
    touched = gradient[0, 0].nonzero()
    assert (touched.max(0).values - touched.min(0).values + 1).tolist() == [field, field]


@pytest.mark.parametrize("channels, filters", [(64, True), (32, False)])
def test_the_papers_filters_its_largest_convolution(
    channels: int, filters: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With wide vectors; a smaller one's numbers are those of torch's convolutions."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        PatchDiscriminator(base_channels=channels)(torch.zeros(1, 6, 152, 152))
    assert (torch.ops.aten.bmm in counter.get_flop_counts()["Global"]) is filters


def test_a_picture_of_256_gives_30_by_30_scores_without_a_sigmoid() -> None:
    network = PatchDiscriminator()
    assert network(torch.zeros(1, 6, 256, 256)).shape == (1, 1, 30, 30)
    assert isinstance(network.layers[-1], nn.Conv2d)


@pytest.mark.parametrize("layers", FACTS)
def test_the_smallest_picture_gives_a_score_and_a_smaller_one_is_refused(layers: int) -> None:
    network = PatchDiscriminator(3, 2, layers, norm="none")
    smallest = 3 * 2**layers if layers else 1
    assert network(torch.zeros(1, 3, smallest, smallest)).shape[-2:] == (1, 1)
    if layers:
        with pytest.raises(ValueError, match=rf"sides of at least {smallest} .* got 64{'0' * 3} x {smallest - 1}"):
            network(torch.zeros(1, 3, 64000, smallest - 1, device="meta"))


def test_norm_and_bias_are_the_references() -> None:
    def layout(norm: str) -> list[tuple[bool, bool]]:
        layers = list(PatchDiscriminator(norm=norm).layers)  # type: ignore[arg-type]
        return [
            (layer.bias is not None, isinstance(after, nn.BatchNorm2d | nn.InstanceNorm2d))
            for layer, after in zip(layers, [*layers[1:], None], strict=True)
            if isinstance(layer, nn.Conv2d)
        ]

    assert layout("batch") == [(True, False), (False, True), (False, True), (False, True), (True, False)]
    assert layout("instance") == [(True, False), (True, True), (True, True), (True, True), (True, False)]
    assert layout("none") == [(True, False)] * 5


def test_spectral_norm_bounds_every_convolution() -> None:
    network = PatchDiscriminator(6, 8, spectral_norm=True)
    for _ in range(50):  # each training forward makes one more power iteration
        network(torch.randn(1, 6, 32, 32))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            assert torch.linalg.matrix_norm(module.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("layers", [-1, 7])
def test_bad_options_are_refused(layers: int) -> None:
    with pytest.raises(ValueError, match=r"layers must be 0 .* to 6"):
        PatchDiscriminator(layers=layers)


def test_feature_maps_end_in_the_scores() -> None:
    torch.manual_seed(0)
    for network in (
        PatchDiscriminator(base_channels=4, layers=2, norm="instance"),
        MultiScaleDiscriminator(base_channels=4, layers=1, scales=2),
    ):
        pictures = torch.rand(2, 6, 32, 32)
        scores, maps = network(pictures), network.features(pictures)
        for of_scale, score in zip(maps, [scores] if isinstance(scores, Tensor) else scores, strict=True):
            assert torch.equal(of_scale[-1], score)
    assert [feature.shape[1] for feature in PatchDiscriminator(base_channels=4, layers=2).features(pictures)[0]] == [
        4,
        8,
        16,
        1,
    ]


def test_each_scale_judges_the_picture_at_half_the_size_of_the_one_before() -> None:
    torch.manual_seed(0)
    network = MultiScaleDiscriminator(in_channels=3, base_channels=4, layers=1, norm="none", scales=3)
    pictures = torch.rand(2, 3, 32, 32)
    for score, judge in zip(network(pictures), network.scales, strict=True):
        assert_close(score, judge(pictures))
        pictures = F.avg_pool2d(pictures, 3, stride=2, padding=1, count_include_pad=False)
    with pytest.raises(ValueError, match="scales must be at least 1; got 0"):
        MultiScaleDiscriminator(scales=0)
