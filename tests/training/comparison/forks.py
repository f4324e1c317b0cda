"""Real runs of a comparison without the seconds in which a new process imports everything."""

import os
import signal
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch

from tests.training.forks import FORKS, MAIN


def train_in_forks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the runs of comparisons train in forks; gives the list to which their folders come, in this order."""
    runs: list[str] = []

    def fit(program: str, command: str, words: list[str], environment: dict[str, str]) -> None:
        runs.append(Path(words[words.index("--config") + 1]).parent.name)
        fit_in_a_fork(program, command, words, environment)

    monkeypatch.setattr("training.comparison.run._run", fit)
    return runs


def fit_in_a_fork(program: str, command: str, words: list[str], environment: dict[str, str]) -> None:
    """Stands for ``training.comparison.run._run``: the same in a fork of a process that has imported it all.

    For one job at a time: a thread that starts a process asks after those of other threads, which then miss their end.
    """
    process = FORKS.Process(target=_fit, args=(program, [command, *words], environment))
    process.start()
    process.join()
    if process.exitcode:
        raise ValueError(f"{command} ended with {process.exitcode}")


def _fit(program: str, words: list[str], environment: dict[str, str]) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    MAIN[program](words)


class StopOnce(pl.Callback):
    """Stop a run in its first epoch, as a user would; not if a file is there, which it leaves.

    Args:
        run: the name of its folder.
        file: that it leaves.
    """

    def __init__(self, run: str, file: str) -> None:
        self.run = run
        self.file = Path(file)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        if self.run in Path(str(trainer.log_dir)).parts and not self.file.exists():
            self.file.touch()
            os.kill(os.getpid(), signal.SIGTERM)
