"""How near exported files come to the networks, and how fast other runtimes are: the tables of docs/export.md.

    OMP_NUM_THREADS=1 python -m benchmarks.export

Each file runs beside its network on noise in batches of three sizes; see ``inference.export.check``. The runtimes take
turns, on one picture of 256 x 256.
"""

import statistics
import tempfile
import time
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

ROUNDS = 15
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


def speeds() -> None:
    """Print how many times faster than torch the runtimes are: the median and the quartiles of the rounds."""
    torch.set_num_threads(1)
    print("| generator | torch | ONNX Runtime | OpenVINO |\n|---|---:|---:|---:|")
    for name, generator in {
        "U-Net, 8 levels, batch norm": UNetGenerator(),
        "ResNet, 9 blocks, instance norm": ResNetGenerator(norm="instance"),
    }.items():
        graph = graph_of(generator.eval(), InferenceMode())
        networks = [generator, converted(graph, "onnxruntime"), converted(graph, "openvino")]
        pictures = torch.rand(1, 3, 256, 256) * 2 - 1
        rounds = [[seconds(network, pictures) for network in networks] for _ in range(ROUNDS + 1)][1:]
        cells = [f"{statistics.median(first for first, *_ in rounds):.2f} s"]
        for place in (1, 2):
            low, middle, high = statistics.quantiles((each[0] / each[place] for each in rounds), n=4)
            cells.append(f"{middle:.2f} ({low:.2f} to {high:.2f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


@torch.inference_mode()
def seconds(network: nn.Module, pictures: Tensor) -> float:
    """Run a network once."""
    start = time.perf_counter()
    network(pictures)
    return time.perf_counter() - start


def main() -> None:
    """Print the tables."""
    nearness()
    print()
    speeds()


def nearness() -> None:
    """Print how far outputs differ."""
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
