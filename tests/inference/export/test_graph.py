import pytest
import torch
from torch import Tensor, nn

from inference.export import Graph
from tests.inference.export.networks import small_graph


def test_a_captured_graph_takes_any_batch_and_size() -> None:
    """Also sides that are 1 inside of the network, and equal ones."""
    graph = small_graph()
    run = graph.capture().module()
    for count, height, width in (1, 2, 2), (2, 2, 8), (1, 8, 2), (3, 6, 6):
        pictures = torch.randn(count, 2, height, width)
        torch.testing.assert_close(run(pictures), graph.network(pictures), rtol=0, atol=1e-6)


def test_a_network_that_decides_by_values_is_refused_in_one_line() -> None:
    class Decides(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.mean() > 0 else -x

    with pytest.raises(ValueError, match=r"^Decides cannot be exported: .+") as error:
        Graph(Decides(), 1, 1, 1, ("output",)).capture()
    assert "\n" not in str(error.value)


def test_operations_are_those_of_the_convolutions_for_each_pixel() -> None:
    """A quarter of the pixels: 2 -> 4 channels by 4 x 4, and back to 3; two operations for each product."""
    assert small_graph().operations() == 2 * 16 * (2 * 4 + 4 * 3) / 4
