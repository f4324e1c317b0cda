"""Generators of every kind as graphs: the same pictures from torch and from another runtime."""

from typing import Any

import pytest
import torch

from inference import InferenceMode, NormMode, run
from inference.export import converted
from pix2pix import ResNetGenerator, UNetGenerator
from pix2pix.generators import Generator
from pix2pix.graph import graph_of
from tests.inference.export.networks import trained

GENERATORS = {
    "unet": lambda channels: UNetGenerator(channels, 3, base_channels=4, levels=2),
    "unet-instance": lambda channels: UNetGenerator(channels, 1, 4, 3, norm="instance", upsampling="resize"),
    "unet-none": lambda channels: UNetGenerator(channels, 5, 4, 2, norm="none"),
    "resnet": lambda channels: ResNetGenerator(channels, 3, 4, blocks=1, dropout=0.5),
    "resnet-instance": lambda channels: ResNetGenerator(channels, 2, 4, blocks=1, norm="instance"),
}


def make(kind: str, channels: int) -> Generator:
    generator = trained(GENERATORS[kind](channels), channels)
    assert isinstance(generator, Generator)
    return generator


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize("channels", [1, 5])
def test_a_captured_generator_gives_the_same_pictures_at_three_sizes(kind: str, channels: int) -> None:
    generator = make(kind, channels)
    graph = graph_of(generator, InferenceMode())
    captured = graph.capture().module()
    for count, rows, columns in (1, 0, 0), (3, 1, 2), (2, 4, 1):
        pictures = torch.rand_like(graph.zeros(count, rows, columns)) * 2 - 1
        torch.testing.assert_close(captured(pictures), generator(pictures), rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm", ["running", "instance"])
def test_the_mode_of_inference_is_in_the_graph(norm: NormMode) -> None:
    generator, mode = make("unet", 3), InferenceMode(norm)
    pictures = torch.rand(2, 3, 16, 24) * 2 - 1
    output = converted(graph_of(generator, mode), "onnxruntime")(pictures)
    torch.testing.assert_close(output, run(generator, pictures, mode), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (InferenceMode(dropout=True), "dropout: a graph has no noise"),
        (InferenceMode("batch"), "norm batch: the result for a picture would depend on its batch"),
    ],
)
def test_modes_that_no_graph_has_are_refused(mode: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        graph_of(make("unet", 3), mode)
