"""The runs that faults are tried on: small ones of both applications, with all that has a state of its own."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from tests.multitask.scenes import write_scenes
from tests.pix2pix.pictures import write_side_by_side
from tests.training.forks import Ended, Fork, fork_command
from tests.training.programs import multitask_config, pix2pix_config
from training import Metrics

LAST = "runs/small/*/checkpoints/last.ckpt"
WRITE: dict[str, Callable[[Path, int], object]] = {
    "pix2pix": lambda root, train: write_side_by_side(root, train),
    "multitask": lambda root, train: write_scenes(root, {"train": train, "val": 3, "test": 3}),
}
SAMPLES = 16
CONFIG = {"pix2pix": pix2pix_config, "multitask": multitask_config}
BATCHES = 4  # of an epoch that step the optimizer
EPOCHS = 3


class Row(NamedTuple):
    """A line of the table.

    Attributes:
        fault: what was done to runs.
        tried: how often.
        found: what came of it.
        held: whether that is what is promised.
    """

    fault: str
    tried: str
    found: str
    held: bool


def config_of(program: str, root: Path, save_every: float | None = 0, **trainer: Any) -> dict[str, Any]:
    """Two workers, accumulated gradients, GradNorm, and an average of G; by default a checkpoint after each step."""
    config = CONFIG[program](root)
    config["trainer"] |= {"max_epochs": EPOCHS, "enable_progress_bar": False} | trainer
    config["data"]["init_args"]["num_workers"] = 2
    config["save_every"] = save_every
    if program == "pix2pix":
        average = {"class_path": "pix2pix.callbacks.GeneratorEMA", "init_args": {"decay": 0.9}}
        config["trainer"]["callbacks"] = [*config["trainer"].get("callbacks", []), average]
        config["model"] |= {
            "terms": {"ssim": {"class_path": "losses.SSIMLoss"}},
            "weighting": {"class_path": "losses.GradNorm", "init_args": {"alpha": 0.5}},
            "accumulate": 2,
        }
    else:
        config["trainer"]["accumulate_grad_batches"] = 2
    return config


class Trial:
    """A run in a folder of its own, that is started again and again until it is done.

    Args:
        program: the application.
        folder: that of all trials; the data are in it, and the run goes to a folder in it.
        name: of this one.
        samples: that it trains on.
        options: see :func:`config_of`.
    """

    def __init__(self, program: str, folder: Path, name: str, samples: int = SAMPLES, **options: Any) -> None:
        self.program = program
        self.folder = folder / f"{program}-{name}"
        self.folder.mkdir()
        if not (data := folder / f"{program}-data-{samples}").exists():
            WRITE[program](data, samples)
        (self.folder / "small.yaml").write_text(yaml.safe_dump(config_of(program, data, **options)))

    @property
    def last(self) -> Path | None:
        """The checkpoint that it goes on from; None if there is none yet."""
        return next(self.folder.glob(LAST), None)

    @property
    def words(self) -> list[str]:
        """The command that a user would give now."""
        if self.last is None:
            return ["fit", "--config", "small.yaml"]
        return ["fit", "--ckpt_path", str(self.last.relative_to(self.folder))]

    def start(self) -> Fork:
        """Begin, or go on from the last checkpoint, with the command that is printed and documented."""
        return fork_command(self.program, self.words, self.folder)

    def start_until(self, step: int) -> Fork:
        """Begin, and return when a step was made and saved."""
        fork = self.start()
        while fork.process.exitcode is None and self.step < step:
            fork.process.join(0.01)
        return fork

    @property
    def step(self) -> int:
        """The step that was saved last; 0 before."""
        return int(torch.load(self.last, weights_only=True, mmap=True)["global_step"]) if self.last else 0

    def unfinished(self) -> list[str]:
        """Return files that were being written when a process was killed."""
        return [str(each) for each in self.folder.glob("runs/*/*/**/.*")]

    def finish(self) -> Ended:
        """Go on until it is done."""
        ended = self.start().wait()
        if ended.code:
            raise RuntimeError(f"{self.folder.name}: the run is lost: {ended.err}")
        return ended

    def outcome(self) -> dict[str, Any]:
        """Return what the run has come to: both checkpoints, and what was measured after each epoch."""
        assert self.last is not None
        found = {name: state_of(self.last.with_name(f"{name}.ckpt")) for name in ("last", "best")}
        metrics = Metrics(self.last.parents[1] / "metrics.csv")
        measured = {name: metrics.series(name) for name in metrics.names if name.startswith(("val/", "test/"))}
        return found | {"measured": measured}


@functools.cache
def uninterrupted(program: str, folder: Path) -> dict[str, Any]:
    """Return what a run comes to that nothing happens to."""
    trial = Trial(program, folder, "uninterrupted")
    trial.finish()
    return trial.outcome()


def count(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs} runs"


def state_of(checkpoint: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    return state
