from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inference.export import Backend, Graph, choose, converted, like_torch, runtimes
from inference.export.runtimes import OpenVino
from tests.inference.export.networks import small_graph

CPU = torch.device("cpu")


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_runtime_gives_what_the_network_gives(backend: Backend) -> None:
    graph = small_graph()
    runtime = converted(graph, backend)
    for count, height, width in (1, 2, 2), (3, 8, 4):
        pictures = torch.randn(count, 2, height, width)
        output = runtime(pictures)
        assert isinstance(output, Tensor)
        torch.testing.assert_close(output, graph.network(pictures), rtol=0, atol=1e-5)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_several_outputs_come_in_their_order(backend: Backend) -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x + 1, 2 * x[:, :1]

    plus, twice = converted(Graph(Two(), 2, 1, 2, ("plus", "twice")), backend)(torch.ones(2, 2, 3, 4))
    torch.testing.assert_close(plus, torch.full((2, 2, 3, 4), 2.0))
    torch.testing.assert_close(twice, torch.full((2, 1, 3, 4), 2.0))


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        ({"openvino", "onnx", "onnxscript", "onnxruntime"}, "openvino"),
        ({"onnx", "onnxscript", "onnxruntime"}, "onnxruntime"),
        ({"openvino", "onnx", "onnxruntime"}, "torch"),  # what converts is missing
    ],
)
def test_auto_takes_the_fastest_that_is_installed(
    installed: set[str], chosen: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtimes.util, "find_spec", lambda name: name in installed or None)
    assert choose("auto", CPU) == chosen
    assert choose("auto", torch.device("cuda")) == "torch"


def test_what_cannot_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown: Any = "tensorrt"
    with pytest.raises(ValueError, match="backend must be one of openvino, onnxruntime, torch, auto; got 'tensorrt'"):
        choose(unknown, CPU)
    with pytest.raises(ValueError, match="openvino runs on the CPU"):
        choose("openvino", torch.device("cuda"))
    monkeypatch.setattr(runtimes.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"backend onnxruntime: pip install 'pix2pix-multitask\[export\]'"):
        choose("onnxruntime", CPU)


class Noisy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class Bessel(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x)  # which ONNX does not have


def test_only_a_runtime_that_gives_what_the_network_gives_is_taken() -> None:
    assert isinstance(like_torch(small_graph(), "openvino"), OpenVino)
    assert like_torch(Graph(Noisy(), 2, 1, 2, ("output",)), "openvino") is None
    with pytest.raises(RuntimeError):
        like_torch(Graph(Bessel(), 2, 1, 2, ("output",)), "openvino")
