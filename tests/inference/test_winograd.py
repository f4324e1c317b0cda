import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from inference import winograd


@pytest.mark.parametrize("pictures_at_once", [1, 2, 3])
@pytest.mark.parametrize("size", [(2, 2), (17, 19), (31, 32), (33, 12), (300, 2)])
def test_values_and_gradients_are_those_of_a_convolution(
    size: tuple[int, int], pictures_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    pictures = torch.randn(3, 2, *size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    expected = F.conv2d(pictures, weight, padding=1)
    monkeypatch.setattr(winograd, "PIXELS", pictures_at_once * math.prod(expected.shape[-2:]))
    made = winograd.convolve(pictures, weight)
    assert_close(made, expected, rtol=1e-12, atol=1e-12)
    gradient = torch.randn_like(made)
    firsts = [
        torch.autograd.grad(result, (pictures, weight), gradient, create_graph=True) for result in (made, expected)
    ]
    for ours, theirs in zip(*firsts, strict=True):
        assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    # As the penalties of a discriminator do: the gradient of a gradient's size.
    seconds = [torch.autograd.grad(first[0].square().sum(), weight)[0] for first in firsts]
    assert_close(*seconds, rtol=1e-11, atol=1e-10)


def test_it_rounds_about_as_torch_s_convolution_does() -> None:
    torch.manual_seed(0)
    pictures, weight = torch.randn(1, 64, 31, 31, dtype=torch.float64), torch.randn(32, 64, 4, 4, dtype=torch.float64)
    exact = F.conv2d(pictures, weight, padding=1)
    made = winograd.convolve(pictures.float(), weight.float())
    assert made.dtype == torch.float32
    assert ((made - exact).norm() / exact.norm()).item() < 3e-6


def test_it_needs_a_quarter_of_the_multiplications() -> None:
    pictures, weight = torch.zeros(1, 256, 31, 31), torch.zeros(512, 256, 4, 4)
    with FlopCounterMode(display=False) as counter:
        winograd.convolve(pictures, weight)
    with FlopCounterMode(display=False) as whole:
        F.conv2d(pictures, weight, padding=1)
    counts = counter.get_flop_counts()["Global"]
    assert counts[torch.ops.aten.bmm] == whole.get_total_flops() / 4
    assert counter.get_total_flops() < 0.35 * whole.get_total_flops()
