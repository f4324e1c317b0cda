import pytest
import torch

from pix2pix import CoarseToFineGenerator


def test_parameters_are_those_of_the_description() -> None:
    """Counted by hand: convolutions of k x k x in x out, and two numbers a channel for batch norm."""
    c, norm = 4, lambda channels: 2 * channels
    coarse = 3 * 49 * 2 * c + norm(2 * c) + 9 * 2 * c * 4 * c + norm(4 * c) + 9 * 4 * c * 8 * c + norm(8 * c)
    coarse += 2 * (9 * 8 * c * 8 * c + norm(8 * c))  # a block
    coarse += 9 * 8 * c * 4 * c + norm(4 * c) + 9 * 4 * c * 2 * c + norm(2 * c)
    fine = 3 * 49 * c + norm(c) + 9 * c * 2 * c + norm(2 * c) + 3 * 2 * (9 * 2 * c * 2 * c + norm(2 * c))
    fine += 9 * 2 * c * c + norm(c) + 49 * c * 3 + 3
    network = CoarseToFineGenerator(base_channels=c, blocks=1, norm="batch")
    assert sum(parameter.numel() for parameter in network.parameters()) == coarse + fine


@pytest.mark.parametrize("size", [(16, 16), (24, 40)])
def test_it_keeps_the_size_and_every_parameter_is_used(size: tuple[int, int]) -> None:
    network = CoarseToFineGenerator(in_channels=2, out_channels=1, base_channels=2, blocks=1, upsampling="resize")
    output = network(torch.rand(2, 2, *size) * 2 - 1)
    assert output.shape == (2, 1, *size)
    output.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert network.last_weight is network.head[1].weight


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="both must be multiples of 8: take height 16 and width 16 or 24"):
        CoarseToFineGenerator(base_channels=2, blocks=1)(torch.rand(1, 3, 16, 20))


@pytest.mark.parametrize("name", ["blocks", "fine_blocks"])
def test_at_least_one_block(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1; got 0"):
        CoarseToFineGenerator(**{name: 0})
