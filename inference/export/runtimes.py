"""Runtimes beside torch that run a network, on a CPU faster."""

import warnings
from abc import abstractmethod
from importlib import util
from io import BytesIO
from typing import Any, Literal

import torch
from torch import Tensor, nn

from inference.export.check import LARGEST, as_tuple, batches_to_check, check, generated_pictures
from inference.export.graph import Graph

Backend = Literal["torch", "onnxruntime", "openvino", "auto"]
BACKENDS: tuple[Backend, ...] = ("openvino", "onnxruntime", "torch")  # the fastest first
EXTRAS = {"openvino": "openvino", "onnxruntime": "export"}


class Runtime(nn.Module):
    """A network as another runtime has it: it takes and returns what the network does, on the CPU in float32.

    Args:
        graph: the network.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.outputs = graph.outputs

    @abstractmethod
    def run(self, pictures: Any) -> Any:
        """Run an array of pictures, and return the arrays of all outputs."""

    def forward(self, pictures: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Run N x channels x H x W."""
        outputs = tuple(torch.from_numpy(each) for each in self.run(pictures.detach().float().contiguous().numpy()))
        return outputs[0] if len(self.outputs) == 1 else outputs


class OnnxRuntime(Runtime):
    """ONNX Runtime, with as many threads as torch."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.session = onnx_session(onnx_bytes(graph))

    def run(self, pictures: Any) -> Any:
        """Run an array of pictures."""
        return self.session.run(None, {"input": pictures})


class OpenVino(Runtime):
    """OpenVINO, with as many threads as torch, and in float32 where it would take bfloat16."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        import openvino

        core = openvino.Core()
        options = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"}
        self.model = core.compile_model(core.read_model(onnx_bytes(graph)), "CPU", options)

    def run(self, pictures: Any) -> Any:
        """Run an array of pictures."""
        results = self.model(pictures)
        return [results[index] for index in range(len(self.outputs))]


def onnx_program(graph: Graph) -> Any:
    """Convert a network to ONNX, with the input ``input`` and the outputs of the graph."""
    names = {"input_names": ["input"], "output_names": list(graph.outputs)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        return torch.onnx.export(graph.capture(), dynamo=True, verbose=False, **names)  # type: ignore[arg-type]


def onnx_bytes(graph: Graph) -> bytes:
    """Convert a network to the bytes of an ONNX file."""
    file = BytesIO()
    onnx_program(graph).save(file)
    return file.getvalue()


def onnx_session(model: str | bytes) -> Any:
    """Open an ONNX file, or the bytes of one, in ONNX Runtime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def choose(backend: Backend, device: torch.device) -> Backend:
    """Return the backend to take: for ``auto`` the fastest that is installed, and on a GPU torch.

    Raises:
        ValueError: there is no such backend, or it runs on another device.
        ModuleNotFoundError: it is not installed.
    """
    if backend not in (*BACKENDS, "auto"):
        raise ValueError(f"backend must be one of {', '.join((*BACKENDS, 'auto'))}; got {backend!r}")
    if backend == "auto":
        return next(each for each in BACKENDS if each == "torch" or (device.type == "cpu" and is_installed(each)))
    if backend != "torch" and device.type != "cpu":
        raise ValueError(f"backend {backend} runs on the CPU; set device to cpu, or backend to torch")
    if not is_installed(backend):
        raise ModuleNotFoundError(f"backend {backend}: pip install 'pix2pix-multitask[{EXTRAS[backend]}]'")
    return backend


def is_installed(backend: Backend) -> bool:
    """Return whether all that a backend needs can be imported."""
    needed = () if backend == "torch" else (backend, "onnx", "onnxscript")  # the last two convert
    return all(util.find_spec(package) for package in needed)


def converted(graph: Graph, backend: Backend) -> Runtime:
    """Convert a graph for ``onnxruntime`` or ``openvino``, which takes some seconds."""
    return OnnxRuntime(graph) if backend == "onnxruntime" else OpenVino(graph)


def like_torch(graph: Graph, backend: Backend) -> Runtime | None:
    """Convert a graph as :func:`converted`; None, if on pictures of several sizes the outputs are not the network's."""
    runtime = converted(graph, backend)
    batches = batches_to_check(graph, generated_pictures(graph, 1))
    found = check(graph, lambda pictures: as_tuple(runtime(pictures)), batches)
    return runtime if found.difference <= LARGEST else None
