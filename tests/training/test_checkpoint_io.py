import os
import signal
from pathlib import Path

import pytest
import torch

from tests.training.forks import Fork
from training import AtomicCheckpointIO


def test_saves_into_new_folders_and_over_old_files(tmp_path: Path) -> None:
    io, path = AtomicCheckpointIO(), tmp_path / "a" / "b.ckpt"
    for value in 1, 2:
        io.save_checkpoint({"weight": torch.full((3,), float(value))}, path)
        assert io.load_checkpoint(path, weights_only=True)["weight"].tolist() == [value] * 3
    assert [file.name for file in path.parent.iterdir()] == ["b.ckpt"]


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    io, path = AtomicCheckpointIO(), tmp_path / "b.ckpt"
    io.save_checkpoint({"weight": torch.ones(3)}, path)
    with pytest.raises(Exception, match="pickle"):
        io.save_checkpoint({"weight": torch.ones(3), "generator": (n for n in range(3))}, path)
    assert io.load_checkpoint(path, weights_only=True)["weight"].tolist() == [1, 1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["b.ckpt"]


def save_over_and_over(path: Path) -> None:
    io, step = AtomicCheckpointIO(), 0
    while True:
        step += 1
        io.save_checkpoint({"weight": torch.full((500_000,), float(step))}, path)
        print(step, flush=True)


@pytest.mark.slow
def test_killed_while_it_saves_it_leaves_a_whole_file(tmp_path: Path) -> None:
    """A process that saves over and over is killed without warning; what it leaves loads."""
    path = tmp_path / "b.ckpt"
    fork = Fork(save_over_and_over, (path,), tmp_path)
    said = tmp_path / "out"
    while not said.exists() or len(said.read_text().splitlines()) < 20:  # then it is in the middle of the next one
        fork.process.join(0.01)
    fork.signal(signal.SIGKILL)
    assert fork.wait().code == -signal.SIGKILL
    weight = torch.load(path, weights_only=True)["weight"]
    assert weight.min() == weight.max() >= 20
    AtomicCheckpointIO().save_checkpoint({}, path)
    assert not [each for each in os.listdir(tmp_path) if each.startswith(".")]
