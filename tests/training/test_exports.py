"""``export`` of both applications: from a run's checkpoint to files that are checked on the run's own pictures."""

import json
import re
import shutil
from pathlib import Path

import pytest
from safetensors import safe_open

from tests.training.programs import PIX2PIX, SILENCED, Program, the_run

pytestmark = SILENCED
SAID = re.compile(r"written to (\S+); largest difference to the network's own output (\S+), in batches of (.+)\n")


@pytest.fixture
def checkpoint(program: Program) -> str:
    program.main(
        ["fit", "--config", "small.yaml", "--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false"]
    )
    return str(the_run() / "checkpoints" / "last.ckpt")


def test_a_checkpoint_becomes_files_and_mistakes_one_line(
    program: Program, checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    program.main(["export", checkpoint, "weights.safetensors"])
    file, difference, batches = SAID.findall(capsys.readouterr().out)[0]
    assert (file, float(difference)) == ("weights.safetensors", 0)
    assert batches.startswith("1 x 16 x 16, 2 x 16 x 16" if program is PIX2PIX else "1 x ")
    with safe_open(file, "pt") as opened:
        metadata = json.loads(opened.metadata()["metadata"])
        assert not any(name.startswith(("weighting.", "discriminator.")) for name in list(opened.keys()))
    assert metadata["made_by"].startswith("pix2pix-multitask ")
    if program is PIX2PIX:
        assert metadata["class_path"] == "pix2pix.generators.UNetGenerator"
        assert (metadata["stride"], metadata["data"]["target"]["dtype"]) == (8, "uint8")
    else:
        assert metadata["outputs"][:3] == ["seg", "depth", "boxes.logits"]

    program.main(
        ["export", checkpoint, "graph.onnx", "--pictures", "data/train" if program is PIX2PIX else "data/train/image"]
    )
    _, difference, _ = SAID.findall(capsys.readouterr().out)[0]
    assert 0 < float(difference) < 1e-4

    said, code = program.fails(capsys, "export", checkpoint, "graph.onnx")
    assert (code, "graph.onnx is there already: choose another name, or add --overwrite" in said) == (1, True)
    said, code = program.fails(capsys, "export", checkpoint, "graph.txt")
    assert (code, "graph.txt: the ending names no format; take --format onnx, pt2, safetensors" in said) == (2, True)
    said, code = program.fails(capsys, "export", checkpoint, "a.pt2", "--pictures", "nowhere")
    assert (code, "nowhere" in said) == (1, True)
    assert not Path("a.pt2").exists()


def test_without_the_runs_data_smooth_noise_is_taken(
    program: Program, checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree("data")
    capsys.readouterr()
    program.main(["export", checkpoint, "weights.safetensors"])
    assert "1 x 256 x 256, 2 x 256 x 256" in capsys.readouterr().out
