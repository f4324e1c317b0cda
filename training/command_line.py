"""The command line of an application: fit, validate, test and predict, with what every run leaves behind."""

import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, Logger

from inference import read_checkpoint, run_of
from training.callbacks import (
    BadSamples,
    BestCheckpoint,
    CheckpointArtifact,
    Curves,
    DataSummary,
    ExactResume,
    FiniteLosses,
    Glance,
    Health,
    LastCheckpoint,
    Networks,
    Panels,
    PictureTable,
    ProgressBar,
    SamplePictures,
)
from training.checkpoint_io import AtomicCheckpointIO
from training.cluster import cluster
from training.configurations import checkpoint_in, with_configuration
from training.data import ResumableData
from training.doctor import Finding
from training.failures import OneLineErrors, refuse_not_finite, say
from training.loggers import SaveRunConfig, wandb_loggers
from training.metrics_file import continued_csv
from training.model import Model
from training.run_folder import new_run
from training.trainer_options import check_seed, check_trainer


class CommandLine(LightningCLI, ABC):
    """LightningCLI with what every run leaves behind; an application subclasses it.

    Attributes:
        program: the application's package and command.
        model_type: its model.
        data_type: its data module.
        demo: the name of its demo configuration.
        max_epochs: the default of ``fit``.
        monitor: the metric that chooses the best checkpoint, unless the option of this name says another.
        strategy: the default for several processes.
        shown: the logged values that the progress bar shows.
        remedy: what to try where losses are not finite, the end of a line.
        health: looks for what goes wrong in its trainings; its options are those of ``health``.
    """

    program: ClassVar[str]
    model_type: ClassVar[type[Model]]
    data_type: ClassVar[type[ResumableData[Any]]]
    demo: ClassVar[str]
    max_epochs: ClassVar[int]
    monitor: ClassVar[str]
    strategy: ClassVar[str] = "ddp"
    shown: ClassVar[tuple[str, ...]]
    remedy: ClassVar[str]
    health: ClassVar[type[Health]]

    @abstractmethod
    def panels(self) -> Panels:
        """Return the panels of ``curves.png``."""

    @abstractmethod
    def report(self) -> str:
        """Return a table of the test metrics."""

    @abstractmethod
    def glance(self) -> Sequence[Finding]:
        """Return what is wrong with some of the training samples."""

    @abstractmethod
    def mode_of(self, metric: str) -> Literal["min", "max"]:
        """Return which values of a metric are better."""

    def __init__(
        self, *, prog: str | None = None, description: str | None = None, args: list[str] | None = None
    ) -> None:
        super().__init__(
            self.model_type,
            self.data_type,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            seed_everything_default=0,
            save_config_callback=SaveRunConfig,
            save_config_kwargs={"save_to_log_dir": False},  # it does that itself
            parser_class=OneLineErrors,
            parser_kwargs={"prog": prog or self.program, "description": description},
            trainer_defaults={
                "devices": 1,
                "max_epochs": self.max_epochs,
                "use_distributed_sampler": False,
                "enable_model_summary": False,  # Lightning draws it only where the package rich is installed
            },
            args=args,
            run=args is None,  # otherwise another command only wants its options parsed
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the options, and refuse numbers that are none."""
        super().parse_arguments(parser, args)
        command = self.config.get("subcommand")
        options = self.config[command] if command else self.config
        refuse_not_finite(options)
        check_seed(options["seed_everything"])

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Return the command that runs, with the arguments that are no options; to set up the others takes time."""
        commands = LightningCLI.subcommands()
        commands["test"] = commands["test"] | {"verbose"}  # our test prints no table of Lightning's
        return {name: arguments for name, arguments in commands.items() if [name] == sys.argv[1:2]}

    @classmethod
    def run(cls, command: str, options: list[str]) -> None:
        """Run ``fit``, ``validate``, ``test`` or ``predict``.

        Args:
            command: which.
            options: its words.
        """
        if checkpoint := checkpoint_in(options):
            read_checkpoint(checkpoint)  # a bad one is refused before anything starts
        # Lightning reads them from sys.argv, also to start more processes.
        sys.argv[1:] = [command, *with_configuration(options, cls.program, cls.demo)]
        cls()

    def option(self, name: str) -> Any:
        """Return the value of an option of the command that runs."""
        return self._get(getattr(self, "config_init", self.config), name)

    def _parse_ckpt_path(self) -> None:
        """Read the model's options from the checkpoint, as Lightning does, with classes that have moved since.

        Those that the command line names stay as it says, but for the networks, which the weights belong to.
        """
        command = self.config.get("subcommand")
        checkpoint = self.config[command]["ckpt_path"] if command else None
        if checkpoint is not None:
            parameters = dict(read_checkpoint(checkpoint)["hyper_parameters"])
            parameters.pop("_instantiator", None)
            if not self.model_type.required_arguments() <= parameters.keys():
                raise ValueError(
                    f"{checkpoint}: a checkpoint of another model than {self.program}; take one of its own"
                )
            for name in _named_options(sys.argv, "--model."):
                if not _holds_recipe(parameters.get(name)):
                    parameters.pop(name, None)
            self.config = self.parser.parse_object({command: {"model": parameters}}, self.config)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options that do not belong to the model, the data or the trainer."""
        parser.add_argument("--runs", type=str, default="runs", help="Folder of all runs.")
        parser.add_argument("--name", type=str, default=self.program, help="Name of the run's folder in it.")
        parser.add_argument(
            "--wandb",
            type=Literal["offline", "online", "off"],
            default="offline",
            help="Log to Weights & Biases too, where the package wandb is installed: offline writes to the run's "
            "folder (`wandb sync` sends it later), online sends it, which needs a network and `wandb login`.",
        )
        minutes = "Minutes between two saves of last.ckpt within an epoch; null saves at the ends of epochs alone."
        parser.add_argument("--save_every", type=float | None, default=10.0, help=minutes)
        chooses = f"The metric that chooses the best checkpoint and ends the run early; by default {self.monitor}."
        parser.add_argument("--monitor", type=str | None, default=None, help=chooses)
        patience = "End the run after so many validations without a better value of it; null never does."
        parser.add_argument("--patience", type=int | None, default=None, help=patience)
        parser.add_argument(
            "--wandb_checkpoint",
            type=Literal["best", "last", "off"],
            default="off",
            help="Log a checkpoint of fit to Weights & Biases too, as an artifact, when training ends.",
        )
        parser.add_lightning_class_args(Networks, "networks")
        parser.add_lightning_class_args(SamplePictures, "samples")
        parser.add_lightning_class_args(self.health, "health")

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Build the trainer with the callbacks, loggers and plugins of every run."""
        if self.subcommand in ("validate", "test", "predict"):
            self._require_checkpoint()
        given = self.option("trainer")
        check_trainer(given)
        strategy = given["strategy"]
        if strategy == "auto" and (given["devices"] != 1 or given["num_nodes"] != 1):
            strategy = self.strategy
        self.trainer_defaults["callbacks"] = self.callbacks()
        return super().instantiate_trainer(
            logger=False if given["fast_dev_run"] else [*self._loggers(), *_as_list(given["logger"])],
            plugins=[*_as_list(given["plugins"]), *cluster(), AtomicCheckpointIO()],
            strategy=strategy,
            **kwargs,
        )

    def callbacks(self) -> list[Callback]:
        """Return the callbacks of every run; an application may add its own."""
        trainer = self.option("trainer")
        callbacks: list[Callback] = [
            ExactResume(),
            DataSummary(),
            Glance(self.glance, f"python -m {self.program} doctor"),
            BadSamples(),
            Curves(self.panels()),
            FiniteLosses(advice=self.remedy),
            PictureTable(),
        ]
        if trainer["enable_progress_bar"] is not False:
            callbacks.append(ProgressBar(self.shown))
        monitor = self.option("monitor") or self.monitor
        if (patience := self.option("patience")) is not None:
            if patience < 1:
                raise ValueError(f"patience must be at least 1, or null; got {patience}")
            callbacks.append(EarlyStopping(monitor, patience=patience, mode=self.mode_of(monitor)))
        if trainer["enable_checkpointing"] is not False and not trainer["fast_dev_run"]:
            best = BestCheckpoint(monitor, self.mode_of(monitor))
            callbacks += [best, LastCheckpoint(self.option("save_every"))]
            if (artifact := self.option("wandb_checkpoint")) != "off":
                callbacks.append(CheckpointArtifact(artifact))
        return callbacks

    def _loggers(self) -> list[Logger]:
        checkpoint = self.option("ckpt_path")
        if self.subcommand == "fit" and checkpoint and (run := run_of(checkpoint)):
            csv = continued_csv(run, done=read_checkpoint(checkpoint)["global_step"])
        else:
            run = new_run(Path(self.option("runs"), self.option("name")))
            csv = CSVLogger(run.parent.parent, run.parent.name, version=run.name)
        return [csv, *wandb_loggers(self.option("wandb"), self.program, run)]

    def before_fit(self) -> None:
        """Print where the run is."""
        say(f"run: {self.trainer.log_dir}")

    def after_fit(self) -> None:
        """Test the best checkpoint, or the last where nothing was validated, and print where the pictures are."""
        run, best = self.trainer.log_dir, self.trainer.checkpoint_callback
        if self.option("trainer")["fast_dev_run"] or not isinstance(best, ModelCheckpoint):
            return
        if why_no_test := self.datamodule.why_no_test() or self._no_test_batches():
            say(f"no test: {why_no_test}")
        else:
            checkpoint = "best"
            if not best.best_model_path:
                checkpoint = f"{run}/checkpoints/last.ckpt"
                say("no validation, so no best.ckpt: testing last.ckpt")
            self.trainer.test(datamodule=self.datamodule, ckpt_path=checkpoint, verbose=False)
            self._print_report()
        say(f"pictures: {run}/samples   curves: {run}/curves.png   checkpoints: {run}/checkpoints")

    def test(self, **options: Any) -> None:
        """Test a checkpoint, without Lightning's table: :meth:`report` has the metrics beside those of baselines."""
        if why_no_test := self._no_test_batches():
            raise ValueError(f"no test: {why_no_test}")
        self.trainer.test(**options, verbose=False)

    def after_test(self) -> None:
        """Print the metrics."""
        self._print_report()

    def _no_test_batches(self) -> str | None:
        return "trainer.limit_test_batches is 0" if self.option("trainer")["limit_test_batches"] == 0 else None

    def _require_checkpoint(self) -> None:
        if self.option("ckpt_path") is None:
            raise ValueError(f"{self.subcommand} needs --ckpt_path, such as runs/NAME/TIME/checkpoints/best.ckpt")

    def _print_report(self) -> None:
        if self.trainer.is_global_zero:
            print(self.report())


def _named_options(words: list[str], prefix: str) -> set[str]:
    """Return the options that begin with ``prefix``, without it and without what comes after a dot in them."""
    return {re.split(r"[.=]", word.removeprefix(prefix))[0] for word in words if word.startswith(prefix)}


def _holds_recipe(value: Any) -> bool:
    return isinstance(value, dict) and ("class_path" in value or any(map(_holds_recipe, value.values())))


def _as_list(value: Any) -> list[Any]:
    """Return the value of an option (one, several or none) as a list; True stands for a default that runs replace."""
    if value is None or isinstance(value, bool):
        return []
    return list(value) if isinstance(value, list) else [value]
