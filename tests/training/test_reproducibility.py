"""Two runs of one configuration on one machine give the same checkpoint, to the bit, with workers too."""

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.forks import fork_command
from tests.training.states import differences

DEMOS = {"pix2pix": "emoji", "multitask": "rooms"}
SHORT = "--trainer.max_epochs 1 --trainer.limit_train_batches 3 --trainer.limit_val_batches 1 --samples.count 1"
OTHER = "--data.init_args.num_workers 2 --data.init_args.batch_size 4 --save_every null"
QUIET = "--wandb off --trainer.accelerator cpu --trainer.enable_progress_bar false"


def last_of(program: str, folder: Path, name: str) -> Any:
    """Run the demo, shortened, in a process of its own up to its test; return its last checkpoint."""
    words = f"fit --config {DEMOS[program]} {SHORT} {OTHER} {QUIET} --name {name}".split()
    fork, last = fork_command(program, words, folder), f"runs/{name}/*/checkpoints/last.ckpt"
    while fork.process.exitcode is None and not list(folder.glob(last)):
        fork.process.join(0.05)
    fork.signal(signal.SIGKILL)
    assert fork.wait().err == ""
    return torch.load(next(folder.glob(last)), weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("program", DEMOS)
def test_the_demo_gives_the_same_checkpoint_twice(program: str, tmp_path: Path) -> None:
    first, second = (last_of(program, tmp_path, name) for name in ("first", "second"))
    assert first["global_step"] > 0
    assert differences(first, second) == []
    second["state_dict"] = {name: value + 1 for name, value in second["state_dict"].items()}
    assert len(differences(first, second)) == len(first["state_dict"])  # they were compared
