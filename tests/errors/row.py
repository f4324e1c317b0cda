"""A row of docs/errors.md: something that is wrong, and what a command says of it."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.hostile.checkpoints import tasks_checkpoint, translator_checkpoint
from tests.multitask.scenes import write_scenes
from tests.pix2pix.pictures import write_side_by_side
from tests.training.programs import PROGRAMS, Program

FIT = "fit --config small.yaml"  # of both applications: two samples, a network of a few weights
CHECKPOINT = "small.ckpt"  # in the folder, of the application


def nothing() -> None:
    """Everything is there already."""


@dataclass(frozen=True)
class Row:
    """A command that fails.

    Attributes:
        wrong: what is wrong, in a few words.
        command: the application and its words, as a shell takes them.
        names: what the line must name: a file, a key or an option.
        make: makes what is wrong, in the folder of the command.
        code: the exit code: 1 for bad input, 2 for bad usage.
    """

    wrong: str
    command: str
    names: str
    make: Callable[[], None] = field(default=nothing)
    code: int = 1

    def __str__(self) -> str:
        """Return what tests call it."""
        return self.wrong

    def run(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[str, int]:
        """Run the command in a folder of its own; return the one line that it says, and its exit code."""
        name, *words = shlex.split(self.command)
        program = PROGRAMS[name]
        prepare(program, folder, monkeypatch)
        self.make()
        capsys.readouterr()
        said, code = program.fails(capsys, *words)
        failed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("failed: ")]
        return (failed[0] if failed else said), code


def prepare(program: Program, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to a folder with data, small.yaml and small.ckpt."""
    pix2pix = program.name == "pix2pix"
    few = pairs if pix2pix else scenes
    replace(program, write_data=few, config=lambda root: program.config(Path(root.name))).enter(folder, monkeypatch)
    (translator_checkpoint if pix2pix else tasks_checkpoint)(Path(CHECKPOINT))


def pairs(root: Path) -> Path:
    return write_side_by_side(root, 2, 1, 1)


def scenes(root: Path) -> Path:
    return write_scenes(root, {"train": 2, "val": 1, "test": 1})
