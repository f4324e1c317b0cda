import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from training import AtomicCheckpointIO


def test_saves_into_new_folders_and_over_old_files(tmp_path: Path) -> None:
    io, path = AtomicCheckpointIO(), tmp_path / "a" / "b.ckpt"
    for value in 1, 2:
        io.save_checkpoint({"weight": torch.full((3,), float(value))}, path)
        assert io.load_checkpoint(path, weights_only=True)["weight"].tolist() == [value] * 3
    assert [file.name for file in path.parent.iterdir()] == ["b.ckpt"]


def test_an_old_file_is_replaced_and_never_written_into(tmp_path: Path) -> None:
    """Who has the old file open, as a process that loads it does, goes on to see the old one, whole."""
    io, path = AtomicCheckpointIO(), tmp_path / "b.ckpt"
    io.save_checkpoint({"weight": torch.ones(3)}, path)
    old = path.read_bytes()
    with path.open("rb") as file:
        io.save_checkpoint({"weight": torch.zeros(3)}, path)
        assert file.read() == old != path.read_bytes()


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    io, path = AtomicCheckpointIO(), tmp_path / "b.ckpt"
    io.save_checkpoint({"weight": torch.ones(3)}, path)
    with pytest.raises(Exception, match="pickle"):
        io.save_checkpoint({"weight": torch.ones(3), "generator": (n for n in range(3))}, path)
    assert io.load_checkpoint(path, weights_only=True)["weight"].tolist() == [1, 1, 1]
    assert [file.name for file in tmp_path.iterdir()] == ["b.ckpt"]


@pytest.mark.slow
def test_killed_while_it_saves_it_leaves_a_whole_file(tmp_path: Path) -> None:
    """A process that saves over and over is killed without warning; what it leaves loads."""
    path = tmp_path / "b.ckpt"
    code = (
        "import sys, torch; from training import AtomicCheckpointIO\n"
        "io, path, step = AtomicCheckpointIO(), sys.argv[1], 0\n"
        "while True:\n"
        "    step += 1; io.save_checkpoint({'weight': torch.full((500_000,), float(step))}, path)\n"
        "    print(step, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while int(process.stdout.readline()) < 20:  # in the middle of the next one
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()
    weight = torch.load(path, weights_only=True)["weight"]
    assert weight.min() == weight.max() >= 20
