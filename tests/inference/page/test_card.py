import hashlib
from pathlib import Path

import pytest
from torch import nn

from inference.page.card import Card, file_facts, last_samples, network_facts, run_configuration, title_of

CONFIG = """\
seed_everything: 3
runs: /home/me/runs
trainer:
  precision: 32-true
  logger: null
data:
  root: /home/me/datasets/mine
  folders: [/home/me/a, b]
  crop_size: 64
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    file = tmp_path / "emoji" / "2026-01-01" / "checkpoints" / "best.ckpt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights" * 300_000)
    return file


def test_what_is_known_of_a_run(checkpoint: Path) -> None:
    run = checkpoint.parents[1]
    (run / "config.yaml").write_text(CONFIG)
    (run / "samples").mkdir()
    for epoch in 2, 10:
        (run / "samples" / f"epoch_{epoch:03}.png").touch()
    assert title_of(checkpoint) == "emoji"
    assert last_samples(checkpoint) == run / "samples" / "epoch_010.png"
    configuration = run_configuration(checkpoint)
    assert configuration == {  # no folder of this machine, and nothing of where the run was written
        "data": {"root": "mine", "folders": ["a", "b"], "crop_size": 64},
        "trainer": {"precision": "32-true"},
        "seed_everything": 3,
    }
    card = Card("emoji", {"file": "best.ckpt"}, configuration, (64, 64), last_samples(checkpoint)).as_json()
    assert card["configuration"].startswith("data:\n  root: mine\n")
    assert (card["canvas"], card["samples"]) == ((64, 64), True)


def test_what_is_known_of_a_file_alone(checkpoint: Path) -> None:
    assert title_of(checkpoint) == "best"
    assert run_configuration(checkpoint) is None
    assert last_samples(checkpoint) is None
    assert file_facts(checkpoint) == {
        "file": "best.ckpt, 2.1 MB",
        "SHA-256": hashlib.sha256(b"weights" * 300_000).hexdigest(),
    }
    assert Card("best", {}).as_json() == {
        "title": "best",
        "facts": {},
        "configuration": None,
        "canvas": None,
        "samples": False,
    }


def test_parameters_are_counted() -> None:
    assert network_facts(nn.Linear(100, 9), nn.Linear(9, 100, bias=False)) == {"parameters": "1,809"}
