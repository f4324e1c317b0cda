"""``pix2pix export`` beside tests/training/test_exports.py: the mode, and the folder for the hub."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from pix2pix import Pix2Pix, UNetGenerator
from pix2pix.__main__ import main
from tests.training.programs import PIX2PIX, SILENCED, the_run

pytestmark = SILENCED


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    PIX2PIX.enter(tmp_path, monkeypatch)
    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1", "--model.inference", "paper"])
    yield str(the_run() / "checkpoints" / "last.ckpt")
    torch.use_deterministic_algorithms(False)


def test_a_folder_for_the_hub_holds_the_network_its_metrics_and_its_samples(
    checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said, code = PIX2PIX.fails(capsys, "export", checkpoint, "shoes", "--format", "hub")
    assert (code, "needs --license" in said) == (2, True)
    said, code = PIX2PIX.fails(capsys, "export", checkpoint, "shoes", "--format", "hub", "--license", "mit")
    assert (code, "dropout: a graph has no noise" in said) == (1, True)
    assert not Path("shoes").exists()

    main(["export", checkpoint, "shoes", "--format", "hub", "--license", "mit", "--inference", "standard"])
    files = {file.name for file in Path("shoes").iterdir()}
    assert files == {"README.md", "config.json", "model.safetensors", "samples.png"}
    card = Path("shoes/README.md").read_text()
    for part in ("license: mit\n", "# pix2pix: shoes", "- root: data\n", "| ssim |", "input: 3 x uint8, 0 to 255"):
        assert part in card

    pictures = torch.rand(2, 3, 16, 16) * 2 - 1
    expected = Pix2Pix.load_from_checkpoint(checkpoint).generator.eval()(pictures)
    assert torch.equal(UNetGenerator.from_pretrained("shoes")(pictures), expected)


def test_the_mode_is_the_models_own_or_the_one_that_is_given(
    checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said, code = PIX2PIX.fails(capsys, "export", checkpoint, "a.safetensors", "--inference.norm", "recalibrated")
    assert (code, "norm recalibrated: this checkpoint" in said) == (1, True)
    main(["export", checkpoint, "a.safetensors", "--inference.norm", "instance"])
    with safe_open("a.safetensors", "pt") as opened:
        metadata = json.loads(opened.metadata()["metadata"])
    assert metadata["inference"] == {"norm": "instance", "dropout": False}
