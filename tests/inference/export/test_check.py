import math

import pytest
import torch

from inference.export.check import batches_to_check, check, generated_pictures
from tests.inference.export.networks import small_graph


def test_the_largest_difference_counts_and_large_values_relatively() -> None:
    graph = small_graph()._replace(network=torch.nn.Identity())
    off = torch.zeros(2, 2, 4, 4)
    off[1, 0, 2, 3] = 0.25
    found = check(graph, lambda pictures: [pictures + off[: len(pictures)]], [torch.zeros(1, 2, 4, 4), off * 0])
    assert found.difference == 0.25
    assert found.batches == [(1, 4, 4), (2, 4, 4)]
    assert str(found) == "largest difference to the network's own output 2.5e-01, in batches of 1 x 4 x 4, 2 x 4 x 4"
    found = check(graph, lambda pictures: [pictures + 1], [torch.full((1, 2, 4, 4), 50.0)])
    assert found.difference == pytest.approx(1 / 50)


def test_nan_is_a_difference() -> None:
    graph = small_graph()._replace(network=torch.nn.Identity())
    batches = [torch.zeros(1, 2, 2, 2)] * 2
    runs = iter([torch.full((1, 2, 2, 2), torch.nan), torch.zeros(1, 2, 2, 2)])
    assert math.isnan(check(graph, lambda pictures: [next(runs)], batches).difference)


def test_another_number_of_outputs_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        check(small_graph(), lambda pictures: [], [torch.zeros(1, 2, 2, 2)])


def test_batches_have_several_sizes_that_the_network_takes() -> None:
    graph = small_graph()._replace(stride=4, least=8)
    batches = batches_to_check(graph, [torch.rand(2, 9, 5), torch.rand(2, 12, 12)])
    assert [tuple(each.shape) for each in batches] == [(1, 2, 12, 8), (1, 2, 12, 12), (2, 2, 12, 8), (1, 2, 16, 16)]


def test_generated_pictures_are_in_range_and_the_same_each_time() -> None:
    first, second = generated_pictures(small_graph(), 2)
    assert first.shape == second.shape == (2, 256, 256)
    assert not torch.equal(first, second)
    assert first.abs().max() <= 1
    torch.testing.assert_close(generated_pictures(small_graph(), 2)[0], first)
