"""Write a trained network to a file for other programs, and show that the file does what the network does."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import util
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from inference.export.check import LARGEST, Checked, Run, as_tuple, check
from inference.export.graph import Graph
from inference.export.runtimes import onnx_program, onnx_session
from inference.pictures.files import whole_or_not_at_all

Format = Literal["onnx", "pt2", "safetensors"]
FORMATS: tuple[Format, ...] = get_args(Format)
METADATA = "metadata"  # what the files call it


class Source(NamedTuple):
    """What an export is made of.

    Attributes:
        graph: the network.
        weights: by their names.
        rebuild: makes the graph of weights that were read from a file.
        metadata: what using the file has to know, of JSON's types; every file holds it.
    """

    graph: Graph
    weights: Mapping[str, Tensor]
    rebuild: Callable[[Mapping[str, Tensor]], Graph]
    metadata: Mapping[str, Any]


def export(source: Source, file: Path, format: Format, batches: Sequence[Tensor]) -> Checked:
    """Write a network to a file, and run the file beside the network.

    Args:
        source: the network.
        file: to write.
        format: ``onnx``; ``pt2``, a program of torch, which ``torch.export.load`` reads without this package; or
            ``safetensors``, the weights alone.
        batches: pictures to run, N x channels x H x W, of sizes that the network takes.

    Raises:
        ValueError: the network cannot be exported; or what the file gives differs, and then it is not written.
        ModuleNotFoundError: the packages for the format are not installed.
    """
    _require_packages(format)
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_not_at_all(file) as unfinished:
        run = WRITERS[format](source, unfinished)
        checked = check(source.graph, run, batches)
        if not checked.difference <= LARGEST:
            raise ValueError(f"{file} is not written, as it is not the network: {checked}; allowed is {LARGEST:.0e}")
    return checked


def _require_packages(format: Format) -> None:
    """Require the packages for a format.

    Raises:
        ModuleNotFoundError: they are not installed.
    """
    needed = {"onnx": ("onnx", "onnxruntime", "onnxscript"), "safetensors": ("safetensors",)}.get(format, ())
    if not all(util.find_spec(package) for package in needed):
        raise ModuleNotFoundError(f"format {format} needs more packages: pip install 'pix2pix-multitask[export]'")


def _write_onnx(source: Source, file: Path) -> Run:
    program = onnx_program(source.graph)
    program.model.metadata_props[METADATA] = json.dumps(source.metadata)
    program.save(file)
    session = onnx_session(str(file))
    return lambda pictures: [torch.from_numpy(each) for each in session.run(None, {"input": pictures.numpy()})]


def _write_pt2(source: Source, file: Path) -> Run:
    with file.open("wb") as output:
        torch.export.save(source.graph.capture(), output, extra_files={METADATA: json.dumps(source.metadata)})
    with file.open("rb") as written:
        network = torch.export.load(written).module()
    return lambda pictures: as_tuple(network(pictures))


def _write_safetensors(source: Source, file: Path) -> Run:
    from safetensors.torch import load_file, save

    weights = {name: value.contiguous() for name, value in source.weights.items()}
    file.write_bytes(save(weights, {METADATA: json.dumps(source.metadata)}))  # save_file lets nobody else read it
    network = source.rebuild(load_file(file)).network
    return lambda pictures: as_tuple(network(pictures))


WRITERS: Mapping[Format, Callable[[Source, Path], Run]] = {
    "onnx": _write_onnx,
    "pt2": _write_pt2,
    "safetensors": _write_safetensors,
}
