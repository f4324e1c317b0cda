import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from inference import convolutions
from inference.convolutions import DEEP, LARGE, SMALL, DownConv2d, PatchConv2d, UpConv2d

SIZES = [(2, 2), (4, 4), (2, 6), (16, 18), (32, 16), (32, 18)]  # the products end at 32 x 16, of two pictures


@pytest.fixture(autouse=True)
def _few_weights_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolutions, "LARGE", 1)
    has_vectors("AVX2", monkeypatch)


def has_vectors(capability: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that the CPU has AVX2, AVX512, or none that torch uses: DEFAULT."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)


def products(layer: nn.Module, pictures: Tensor) -> set[str]:
    """Return what a layer computes with."""
    with FlopCounterMode(display=False) as counter:
        layer(pictures)
    return {str(name) for name in counter.get_flop_counts()["Global"]}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [DownConv2d, UpConv2d])
def test_values_and_gradients_are_torch_s(kind: type[nn.Module], size: tuple[int, int], bias: bool) -> None:
    torch.manual_seed(0)
    layer = kind(3, 5, bias).double()
    height, width = size if kind is DownConv2d else (size[0] // 2, size[1] // 2)
    pictures = torch.randn(2, 3, height, width, dtype=torch.float64, requires_grad=True)
    convolve = F.conv2d if kind is DownConv2d else F.conv_transpose2d
    expected = convolve(pictures, layer.weight, layer.bias, stride=2, padding=1)
    made = layer(pictures)
    assert_close(made, expected, rtol=1e-12, atol=1e-12)
    of = [pictures, *layer.parameters()]
    gradient = torch.randn_like(made)
    for ours, theirs in zip(
        torch.autograd.grad(made, of, gradient), torch.autograd.grad(expected, of, gradient), strict=True
    ):
        assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("count", [1, 2])
def test_gradients_are_right_through_batch_norm_and_a_skip(count: int) -> None:
    """For one picture whose channels lie side by side, torch's batch norm has wrong ones."""
    torch.manual_seed(0)
    layer, norm = DownConv2d(3, 8, bias=False).double(), nn.BatchNorm2d(8).double()
    pictures = torch.randn(count, 3, 4, 4, dtype=torch.float64)
    gradients = []
    for made in layer(pictures), F.conv2d(pictures, layer.weight, stride=2, padding=1):
        skipped = torch.cat([norm(made), made], 1)
        gradients.append(torch.autograd.grad(skipped.sin().sum(), layer.weight)[0])
    assert_close(*gradients, rtol=1e-10, atol=1e-12)


def test_small_maps_are_products_and_others_are_not() -> None:
    down, up = DownConv2d(3, 5), UpConv2d(3, 5)
    small, large = (4, 8, 8), (5, 8, 8)
    assert math.prod(small) == SMALL
    for count, height, width in small, large:
        expected = {"aten.mm" if (count, height, width) == small else "aten.convolution"}
        assert products(up, torch.zeros(count, 3, height, width)) == expected
        assert products(down, torch.zeros(count, 3, 2 * height, 2 * width)) == expected
    up.to(memory_format=torch.channels_last)  # weights that would have to be copied first
    assert products(up, torch.zeros(1, 3, 2, 2)) == {"aten.convolution"}
    assert products(DownConv2d(3, 5).to("meta"), torch.zeros(1, 3, 4, 4, device="meta")) == {"aten.convolution"}


def test_the_deep_levels_of_the_papers_generator_have_enough_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolutions, "LARGE", LARGE)
    for channels, expected in (256, "aten.mm"), (255, "aten.convolution"):
        assert products(DownConv2d(channels, 256, bias=False), torch.zeros(1, channels, 2, 2)) == {expected}


def test_a_graph_for_other_programs_has_convolutions() -> None:
    network = nn.Sequential(DownConv2d(3, 4), UpConv2d(4, 3)).eval()
    program = torch.export.export(network, (torch.zeros(1, 3, 4, 4),))
    called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert called == {"aten.conv2d.default", "aten.conv_transpose2d.input"}


def test_taps_that_see_only_padding_learn_nothing() -> None:
    """Of a map of 2 x 2 the 4 inner taps see something."""
    down, up = DownConv2d(2, 2), UpConv2d(2, 2)
    up(down(torch.randn(3, 2, 2, 2)).square()).square().sum().backward()
    for layer in down, up:
        learned = layer.weight.grad.abs().sum((0, 1)) > 0
        assert learned.tolist() == [[row in (1, 2) and column in (1, 2) for column in range(4)] for row in range(4)]


@pytest.mark.parametrize("kind", [DownConv2d, UpConv2d])
def test_half_precision_is_half_precision(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    layer, pictures = kind(3, 5), torch.randn(2, 3, 4, 4)
    expected = layer(pictures)
    with torch.autocast("cpu", torch.bfloat16):
        made = layer(pictures)
    assert made.dtype == torch.bfloat16
    assert_close(made.float(), expected, rtol=0.02, atol=0.02)
    made.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize("bias", [True, False])
def test_a_filtered_layer_has_torch_s_values_and_gradients(bias: bool) -> None:
    torch.manual_seed(0)
    layer = PatchConv2d(2, 4, bias).double()
    pictures = torch.randn(3, 2, 17, 19, dtype=torch.float64, requires_grad=True)
    assert products(layer, pictures) == {"aten.mm", "aten.bmm"}
    made, expected = layer(pictures), F.conv2d(pictures, layer.weight, layer.bias, padding=1)
    assert_close(made, expected, rtol=1e-12, atol=1e-12)
    of = [pictures, *layer.parameters()]
    gradients = [torch.autograd.grad(result.sin().sum(), of) for result in (made, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_filtering_is_for_many_pixels_of_full_precision_and_wide_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    filtered, convolved = {"aten.mm", "aten.bmm"}, {"aten.convolution"}
    layer, few, many = PatchConv2d(3, 5), torch.zeros(1, 3, 17, 17), torch.zeros(2, 3, 17, 17)
    assert math.prod(layer(few).shape[-2:]) == SMALL
    assert products(layer, few) == convolved
    assert products(layer, many) == filtered
    assert products(layer.double(), many.double()) == filtered
    assert products(layer.bfloat16(), many.bfloat16()) == convolved
    layer.float()
    with torch.autocast("cpu", torch.bfloat16):
        assert products(layer, many) == convolved
    for capability, expected in ("AVX512", filtered), ("DEFAULT", convolved):
        has_vectors(capability, monkeypatch)
        assert products(layer, many) == expected


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(3, 3), (7, 12), (30, 31)])
def test_one_output_channel_has_torch_s_values_and_gradients(size: tuple[int, int], bias: bool) -> None:
    torch.manual_seed(0)
    layer = PatchConv2d(DEEP, 1, bias).double()
    pictures = torch.randn(2, DEEP, *size, dtype=torch.float64, requires_grad=True)
    assert "aten.convolution" not in products(layer, pictures)
    made, expected = layer(pictures), F.conv2d(pictures, layer.weight, layer.bias, padding=1)
    assert_close(made, expected, rtol=1e-11, atol=1e-12)
    of = [pictures, *layer.parameters()]
    gradient = torch.randn_like(made)
    firsts = [torch.autograd.grad(result, of, gradient, create_graph=True) for result in (made, expected)]
    for ours, theirs in zip(*firsts, strict=True):
        assert_close(ours, theirs, rtol=1e-11, atol=1e-11)
    seconds = [torch.autograd.grad(first[0].square().sum(), layer.weight)[0] for first in firsts]
    assert_close(*seconds, rtol=1e-11, atol=1e-10)


def test_one_output_channel_of_few_or_half_precision_is_torch_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolutions, "LARGE", LARGE)
    pictures = torch.zeros(1, DEEP, 4, 4)
    assert products(PatchConv2d(DEEP - 1, 1), pictures[:, 1:]) == {"aten.convolution"}
    assert products(PatchConv2d(DEEP, 2), pictures) == {"aten.convolution"}
    assert products(PatchConv2d(DEEP, 1).bfloat16(), pictures.bfloat16()) == {"aten.convolution"}
    with torch.autocast("cpu", torch.bfloat16):
        assert products(PatchConv2d(DEEP, 1), pictures) == {"aten.convolution"}
    assert products(PatchConv2d(DEEP, 1).to("meta"), pictures.to("meta")) == {"aten.convolution"}


def test_a_graph_of_a_discriminator_has_convolutions() -> None:
    network = nn.Sequential(PatchConv2d(3, DEEP), PatchConv2d(DEEP, 1)).eval()
    program = torch.export.export(network, (torch.zeros(2, 3, 32, 32),))
    called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert called == {"aten.conv2d.default"}


@pytest.mark.filterwarnings("error::torch.jit.TracerWarning", "ignore::FutureWarning")
def test_a_trace_has_convolutions_and_asks_nothing_of_sizes() -> None:
    network = nn.Sequential(PatchConv2d(3, DEEP), PatchConv2d(DEEP, 1), DownConv2d(1, 2), UpConv2d(2, 1)).eval()
    graph = str(torch.jit.trace(network, torch.zeros(2, 3, 32, 32)).inlined_graph)
    assert graph.count("aten::_convolution") == 4
    assert "matmul" not in graph
