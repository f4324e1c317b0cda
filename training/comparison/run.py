"""One training of a comparison."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from training.comparison.processes import PROCESSES
from training.failures import HINT
from training.metrics_file import Metrics

Config = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One run: a ``fit`` of an application in a process of its own.

    Attributes:
        program: the application's package.
        out: the folder of the comparison.
        name: of what is trained.
        seed: with which.
        config: of the fit.
        steps: how many it has, where all runs have the same time; None for the epochs of the configuration.
        tag: what its folder is called by beside name and seed, where runs of one name and seed differ in more.
    """

    program: str
    out: Path
    name: str
    seed: int
    config: Config
    steps: int | None = None
    tag: str = ""

    @property
    def folder(self) -> Path:
        """The folder of its attempts."""
        return self.out / f"{self.name}{self.tag}-seed{self.seed}"

    def metrics_file(self) -> Path:
        """Return the CSV file of the last attempt."""
        return max(self.folder.glob("*/metrics.csv"), key=lambda file: file.parent.name)

    def test_metrics(self) -> dict[str, float]:
        """Return the metrics of the test at the end of the run; nothing if it is not over."""
        measured: dict[str, float] = {}
        for file in sorted(self.folder.glob("*/metrics.csv")):
            measured |= Metrics(file).last("test/")
        return measured

    def val_metrics(self, monitor: str) -> dict[str, float]:
        """Return the metrics on the validation samples of the best checkpoint, that of the least ``monitor``."""
        metrics = Metrics(self.metrics_file())
        best, _ = min(metrics.series(monitor), key=lambda each: each[1])
        (row,) = (row for step, row in metrics.rows if step == best and monitor in row)
        return {key.removeprefix("val/"): value for key, value in row.items() if key.startswith("val/")}

    def length(self) -> tuple[int | None, str]:
        """Return how many steps or epochs it has, and which of both; None where its trainer tells no epochs."""
        if self.steps is not None:
            return self.steps, "steps"
        epochs = self.config["trainer"]["max_epochs"] or -1
        return epochs if epochs > 0 else None, "epochs"

    def done(self) -> int:
        """Return how many of these it has logged to be over."""
        try:
            rows = Metrics(self.metrics_file()).rows
        except ValueError:  # there is none yet, or it is being written
            return 0
        if not rows:
            return 0
        step, row = rows[-1]
        if self.steps is None:
            return int(row["epoch"])
        return min(step + 1, self.steps)  # steps count from 0, but the test at the end is logged as one more

    def train(self, threads: int, gpu: str | None = None) -> None:
        """Train and test, from where an earlier attempt stopped.

        Args:
            threads: of the processor.
            gpu: the only one that it sees; None for all that there are.

        Raises:
            ValueError: it fails; with the line that says why.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "config.yaml"
        trainer = self.config["trainer"] | {"enable_progress_bar": False}
        if self.steps is not None:
            trainer |= {"max_epochs": -1, "max_steps": self.steps}
            trainer = with_callback(trainer, "training.comparison.callbacks.ValidateAtEnd")
        own = {"seed_everything": self.seed, "runs": str(self.out), "name": self.folder.name, "trainer": trainer}
        file.write_text(yaml.safe_dump(self.config | own, sort_keys=False))
        words = ["--config", str(file)]
        if checkpoints := sorted(self.folder.glob("*/checkpoints/last.ckpt")):
            words += ["--ckpt_path", str(checkpoints[-1])]
        try:
            only = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
            _run(self.program, "fit", words, {"OMP_NUM_THREADS": str(threads)} | only)
        except ValueError as error:
            raise ValueError(f"{self.folder.name}: {error}") from None


def with_callback(trainer: Config, class_path: str) -> Config:
    """Return the options of a trainer with one callback more."""
    given = trainer.get("callbacks") or []
    return trainer | {"callbacks": [*(given if isinstance(given, list) else [given]), {"class_path": class_path}]}


def _run(program: str, command: str, words: list[str], environment: dict[str, str]) -> None:
    """Run a command of an application in a process of its own; raise the line that a failure ends with."""
    call = [sys.executable, "-m", program, command, *words]
    result = PROCESSES.run(call, environment)
    if result.returncode:
        said = (result.stderr.strip() or f"{command} was stopped").splitlines()[-1]
        raise ValueError(said.removeprefix(f"{program}: error: ").removesuffix(HINT))
