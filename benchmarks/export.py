"""How near exported files come to the networks: the table of docs/export.md.

    python -m benchmarks.export

Each file runs beside its network on smooth noise in batches of three sizes; see ``inference.export.check``.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from inference import InferenceMode
from inference.export import FORMATS, Graph, Source, converted, export
from inference.export.check import Run, as_tuple, check
from pix2pix import ResNetGenerator, UNetGenerator
from pix2pix.generators import Generator
from pix2pix.graph import graph_of

SIZES = (1, 64, 64), (2, 128, 192), (3, 256, 128)


def networks(channels: int) -> dict[str, Generator]:
    """Return generators from as many channels to as many."""
    return {
        "U-Net, batch norm": UNetGenerator(channels, channels, 16, levels=6),
        "U-Net, instance norm, resize": UNetGenerator(
            channels, channels, 16, levels=5, norm="instance", upsampling="resize"
        ),
        "ResNet, batch norm": ResNetGenerator(channels, channels, 16, blocks=3),
        "ResNet, instance norm": ResNetGenerator(channels, channels, 16, blocks=3, norm="instance"),
    }


def train(generator: Generator) -> Generator:
    """Give batch norms the weights and the statistics of a network that has learned something."""
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias, std=0.5)
    with torch.no_grad():
        for _ in range(5):
            generator.train()(torch.rand(4, generator.in_channels, 128, 128) * 2 - 1)
    return generator.eval()


def source_of(generator: Generator) -> Source:
    """Return what the exports are made of."""
    graph = graph_of(generator, InferenceMode())

    def rebuild(weights: Mapping[str, Tensor]) -> Graph:
        again = type(generator)(**generator.recipe()["init_args"])
        again.load_state_dict(weights)
        return graph_of(again.eval(), InferenceMode())

    return Source(graph, generator.state_dict(), rebuild, {})


def in_openvino(graph: Graph) -> Run:
    """Return what runs a graph in OpenVINO."""
    runtime = converted(graph, "openvino")
    return lambda pictures: as_tuple(runtime(pictures))


def main() -> None:
    """Print the table."""
    torch.manual_seed(0)
    print(f"| generator | channels | {' | '.join(FORMATS)} | OpenVINO |\n|---|---:|{'---:|' * (len(FORMATS) + 1)}")
    for channels in range(1, 6):
        for name, generator in networks(channels).items():
            source = source_of(train(generator))
            batches = [torch.rand(count, channels, height, width) * 2 - 1 for count, height, width in SIZES]
            with tempfile.TemporaryDirectory() as folder:
                found = [export(source, Path(folder, f"a.{each}"), each, batches).difference for each in FORMATS]
            found.append(check(source.graph, in_openvino(source.graph), batches).difference)
            print(f"| {name} | {channels} | {' | '.join(f'{each:.1e}' for each in found)} |", flush=True)


if __name__ == "__main__":
    main()
