"""A folder for the hub is read again without a network; a repository that is not there is one line."""

import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import PyTorchModelHubMixin

from inference import InferenceMode
from inference.export import Source, batches_to_check
from inference.export.hub import read_folder, write_folder
from pix2pix import ResNetGenerator, UNetGenerator
from pix2pix.graph import graph_of
from tests.inference.export.networks import trained


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network = trained(UNetGenerator(base_channels=4, levels=2, dropout=0.0), 3)
    assert isinstance(network, UNetGenerator)
    graph = graph_of(network, InferenceMode())

    source = Source(graph, network.state_dict(), lambda weights: graph, network.recipe())
    write_folder(tmp_path / "unet", source, batches_to_check(graph, [torch.rand(3, 8, 8)]), "# card\n")
    torch.save(network(torch.ones(1, 3, 8, 8)), tmp_path / "output.pt")
    return tmp_path / "unet"


def test_a_network_comes_back_with_its_weights(folder: Path) -> None:
    assert {file.name for file in folder.iterdir()} == {"README.md", "config.json", "model.safetensors"}
    network = UNetGenerator.from_pretrained(folder)
    assert not network.training
    assert torch.equal(network(torch.ones(1, 3, 8, 8)), torch.load(folder.parent / "output.pt"))


def test_the_mixin_of_the_hub_reads_the_folder_too(folder: Path) -> None:
    class Mixed(PyTorchModelHubMixin, UNetGenerator):
        pass

    network = Mixed.from_pretrained(folder, strict=True).eval()
    assert network.recipe()["init_args"] == UNetGenerator.from_pretrained(folder).recipe()["init_args"]
    assert torch.equal(network(torch.ones(1, 3, 8, 8)), torch.load(folder.parent / "output.pt"))


def test_another_class_is_refused_before_it_is_built(folder: Path) -> None:
    with pytest.raises(ValueError, match="UNetGenerator is not a subclass of ResNetGenerator"):
        ResNetGenerator.from_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"class_path": "os.system", "init_args": {"command": "true"}}))
    with pytest.raises(ValueError, match=r"os.system is not a subclass of UNetGenerator"):
        UNetGenerator.from_pretrained(folder)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", b"{}", "not a network of this package"),
        ("config.json", b"\xff", "config.json is no JSON"),
        ("config.json", b"{", "config.json is no JSON"),
        ("config.json", b'{"class_path": "pix2pix.UNetGenerator", "init_args": {"wide": 1}}', "not a network"),
        ("model.safetensors", b"text", "not a network of this package"),
        ("model.safetensors", None, "no file model.safetensors"),
        ("config.json", None, "no file config.json"),
    ],
)
def test_broken_folders_are_one_line(folder: Path, file: str, content: bytes | None, message: str) -> None:
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_folder(folder, UNetGenerator)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_repository_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("nobody/nothing", "a/b/c"):
        with pytest.raises(ValueError, match=f"{name}: no such folder, and no repository that can be reached") as error:
            UNetGenerator.from_pretrained(name)
        assert "\n" not in str(error.value)
