"""A trained generator as a graph for other runtimes and programs."""

from inference.export import Graph
from inference.export.folding import with_instance_norm
from inference.geometry import least_side
from inference.modes import InferenceMode
from pix2pix.generators import Generator


def graph_of(generator: Generator, mode: InferenceMode) -> Graph:
    """Return the graph of a generator in a mode: N x in_channels x H x W in [-1, 1] -> N x out_channels x H x W.

    Args:
        generator: in evaluation mode.
        mode: how it is used.

    Raises:
        ValueError: the mode has noise, or lets pictures of a batch depend on each other.
    """
    if mode.dropout:
        raise ValueError("dropout: a graph has no noise; set inference to standard, or to one with dropout false")
    if mode.norm == "batch":
        raise ValueError(
            "norm batch: the result for a picture would depend on its batch; set inference to another, as norm instance"
        )
    network = with_instance_norm(generator) if mode.norm == "instance" else generator
    least = least_side(network, generator.in_channels, generator.stride)
    return Graph(network, generator.in_channels, generator.stride, least, ("output",))
