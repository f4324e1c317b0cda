"""Every format gives what the network gives, and a file that does not is not written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from inference.export import FORMATS, Format, Graph, Source, export, files
from tests.inference.export.networks import Small, small_graph

METADATA: dict[str, Any] = {"stride": 2, "data": {"window": [0.0, 4095.0]}}
BATCHES = [torch.randn(1, 2, 6, 4), torch.randn(3, 2, 2, 8)]


def small_source() -> Source:
    graph = small_graph()

    def rebuild(weights: Mapping[str, Tensor]) -> Graph:
        network = Small()
        network.load_state_dict(weights)
        return graph._replace(network=network.eval())

    return Source(graph, graph.network.state_dict(), rebuild, METADATA)


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_gives_what_the_network_gives(format: Format, tmp_path: Path) -> None:
    file = tmp_path / "new" / f"small.{format}"
    checked = export(small_source(), file, format, BATCHES)
    assert checked.difference <= (0 if format == "safetensors" else 1e-6)
    assert checked.batches == [(1, 6, 4), (3, 2, 8)]
    assert list(file.parent.iterdir()) == [file]  # nothing unfinished


def test_onnx_names_its_tensors_and_keeps_the_metadata(tmp_path: Path) -> None:
    file = tmp_path / "small.onnx"
    export(small_source(), file, "onnx", BATCHES)
    model = onnx.load(file)
    onnx.checker.check_model(model)
    assert [each.name for each in model.graph.input] == ["input"]
    assert [each.name for each in model.graph.output] == ["output"]
    assert {each.key: json.loads(each.value) for each in model.metadata_props if each.key == "metadata"} == {
        "metadata": METADATA
    }
    operations = [node.op_type for node in model.graph.node]
    assert operations.count("BatchNormalization") <= 1  # the others are folded
    batch, channels, *sides = model.graph.input[0].type.tensor_type.shape.dim
    assert channels.dim_value == 2
    assert not any(each.dim_value for each in (batch, *sides))  # any


def test_pt2_and_safetensors_keep_the_metadata(tmp_path: Path) -> None:
    export(small_source(), tmp_path / "small.pt2", "pt2", BATCHES)
    extra = {"metadata": ""}
    torch.export.load(tmp_path / "small.pt2", extra_files=extra)
    assert json.loads(extra["metadata"]) == METADATA
    export(small_source(), tmp_path / "small.safetensors", "safetensors", BATCHES)
    with safe_open(tmp_path / "small.safetensors", "pt") as opened:
        assert json.loads(opened.metadata()["metadata"]) == METADATA


def test_a_file_that_differs_is_not_written_and_what_was_there_stays(tmp_path: Path) -> None:
    source = small_source()
    other = source._replace(weights={name: value + 0.01 for name, value in source.weights.items()})
    file = tmp_path / "small.safetensors"
    file.write_text("before")
    with pytest.raises(ValueError, match=r"small.safetensors is not written.*largest difference.*allowed is 1e-04"):
        export(other, file, "safetensors", BATCHES)
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'pix2pix-multitask\[export\]'"):
        export(small_source(), tmp_path / "a.onnx", "onnx", BATCHES)
    assert not any(tmp_path.iterdir())
