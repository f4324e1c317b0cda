"""What weightings cost, in floating point operations, on the network that DeepLab has for several tasks."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.deeplab import CHANNELS, DeepLab
from losses import DBMTL, FAMO, FixedWeighting, GradNorm, MatchedGradients, Weighting


def operations(network: DeepLab, weighting: Weighting) -> int:
    with FlopCounterMode(display=False) as counter:
        network.step(weighting, torch.randn(2, 3, 64, 64))
    return counter.get_total_flops()


@pytest.fixture(scope="module")
def network() -> DeepLab:
    torch.manual_seed(0)
    return DeepLab()


@pytest.fixture(scope="module")
def counts(network: DeepLab) -> tuple[int, int]:
    """Operations with equal weights and with GradNorm."""
    return operations(network, FixedWeighting(tuple(CHANNELS))), operations(network, GradNorm(tuple(CHANNELS)))


@pytest.mark.slow
def test_gradnorm_costs_at_most_a_twentieth_of_a_step(counts: tuple[int, int]) -> None:
    equal, gradnorm = counts
    assert gradnorm / equal <= 1.05


def test_the_count_has_what_gradnorm_does_inside_the_backward_pass(counts: tuple[int, int]) -> None:
    """By hand: for each task the gradient of a convolution 512 -> 2048, kernel 1, at 2 x 8 x 8 places."""
    equal, gradnorm = counts
    assert gradnorm - equal == len(CHANNELS) * 2 * (2 * 8 * 8) * 512 * 2048


@pytest.mark.slow
def test_db_mtl_costs_what_gradnorm_does(network: DeepLab, counts: tuple[int, int]) -> None:
    assert operations(network, DBMTL(tuple(CHANNELS))) == counts[1]
    assert operations(network, MatchedGradients(CHANNELS, reference=next(iter(CHANNELS)))) == counts[1]


@pytest.mark.slow
def test_famo_costs_a_forward_pass(network: DeepLab, counts: tuple[int, int]) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.losses(dict.fromkeys(CHANNELS, network.trunk(torch.randn(2, 3, 64, 64))))
    assert operations(network, FAMO(tuple(CHANNELS))) - counts[0] == counter.get_total_flops()
