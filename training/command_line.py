"""The command line of an application: fit, validate, test and predict, with what every run leaves behind."""

import logging
import sys
import warnings
from abc import ABC, abstractmethod
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, Logger

from training.checkpoint_io import AtomicCheckpointIO
from training.configurations import check_readable, checkpoint_in, run_of, with_configuration
from training.exact_resume import ExactResume
from training.failures import OneLineErrors, say
from training.last_checkpoint import LastCheckpoint
from training.loggers import SaveRunConfig, continued_csv, wandb_loggers
from training.progress import ProgressBar


class CommandLine(LightningCLI, ABC):
    """LightningCLI with what every run leaves behind; an application subclasses it.

    Attributes:
        program: the application's package and command.
        demo: the name of its configuration for those who try it.
        monitor: what the best checkpoint has the least of; see ``monitor_mode``.
        monitor_mode: ``min``, or ``max`` if the best has the most.
        strategy: how several processes train, where the user does not say.
        shown: the logged values that the progress bar shows.
    """

    program: ClassVar[str]
    demo: ClassVar[str]
    monitor: ClassVar[str]
    monitor_mode: ClassVar[Literal["min", "max"]] = "min"
    strategy: ClassVar[str] = "ddp"
    shown: ClassVar[tuple[str, ...]]

    def callbacks(self) -> list[Callback]:
        """Make the callbacks of this application's own."""
        return []

    @abstractmethod
    def report(self) -> str:
        """Make a table of what a test has measured."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options that are neither the model's, nor the data's, nor the trainer's."""
        parser.add_argument("--runs", type=str, default="runs", help="Folder of all runs.")
        parser.add_argument("--name", type=str, default=self.program, help="Name of the run's folder in it.")
        parser.add_argument(
            "--wandb",
            type=Literal["offline", "online", "off"],
            default="offline",
            help="Log to Weights & Biases too, where the package wandb is installed: offline writes to the run's "
            "folder (`wandb sync` sends it later), online sends it, which needs a network and `wandb login`.",
        )

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Make the trainer with the callbacks, loggers and plugins of every run."""
        given = self._get(self.config_init, "trainer")
        strategy = given["strategy"]
        if strategy == "auto" and (given["devices"] != 1 or given["num_nodes"] != 1):
            strategy = self.strategy
        self.trainer_defaults["callbacks"] = [*self._callbacks(), *self.callbacks()]
        return super().instantiate_trainer(
            logger=False if given["fast_dev_run"] else [*self._loggers(), *_as_list(given["logger"])],
            plugins=[*_as_list(given["plugins"]), AtomicCheckpointIO()],
            strategy=strategy,
            **kwargs,
        )

    def _callbacks(self) -> list[Callback]:
        trainer = self._get(self.config_init, "trainer")
        callbacks: list[Callback] = [ExactResume()]
        if trainer["enable_progress_bar"] is not False:
            callbacks.append(ProgressBar(self.shown))
        if trainer["enable_checkpointing"] is not False and not trainer["fast_dev_run"]:
            best = ModelCheckpoint(
                filename="best",
                monitor=self.monitor,
                mode=self.monitor_mode,
                # By default it saves after validation, which is before the epoch's end: a resume would lose that.
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            )
            callbacks += [best, LastCheckpoint()]
        return callbacks

    def _loggers(self) -> list[Logger]:
        runs, name, wandb = (self._get(self.config_init, key) for key in ("runs", "name", "wandb"))
        time = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        checkpoint = self._get(self.config_init, "ckpt_path")
        if self.subcommand == "fit" and checkpoint and (resumed := run_of(checkpoint)):
            runs, name, time = str(resumed.parent.parent), resumed.parent.name, resumed.name
            csv = continued_csv(runs, name, time, checkpoint)
        else:
            csv = CSVLogger(runs, name, version=time)
        return [csv, *wandb_loggers(wandb, self.program, name, time, Path(runs, name, time))]

    def before_fit(self) -> None:
        """Say where the run is."""
        say(f"run: {self.trainer.log_dir}")

    def after_fit(self) -> None:
        """Measure the best checkpoint on the test samples, and say where the pictures are."""
        run = self.trainer.log_dir
        if self._get(self.config, "trainer")["fast_dev_run"] or self.trainer.checkpoint_callback is None:
            return
        self.trainer.test(datamodule=self.datamodule, ckpt_path="best", verbose=False)
        if self.trainer.is_global_zero:
            print(self.report())
            print(f"pictures: {run}/samples   curves: {run}/curves.png   checkpoints: {run}/checkpoints")

    def before_validate(self) -> None:
        """Insist on a checkpoint."""
        self._need_checkpoint()

    def before_test(self) -> None:
        """Insist on a checkpoint."""
        self._need_checkpoint()

    def after_test(self) -> None:
        """Print the measures."""
        if self.trainer.is_global_zero:
            print(self.report())

    def before_predict(self) -> None:
        """Insist on a checkpoint."""
        self._need_checkpoint()

    def after_predict(self) -> None:
        """Say where the predictions are."""
        say(f"predictions: {self.trainer.log_dir}/predictions")

    def _need_checkpoint(self) -> None:
        if self._get(self.config, "ckpt_path") is None:
            raise ValueError(f"{self.subcommand} needs --ckpt_path, such as runs/NAME/TIME/checkpoints/best.ckpt")


def run_command(
    words: list[str],
    command_line: type[CommandLine],
    model: type[pl.LightningModule],
    data: type[pl.LightningDataModule],
    *,
    description: str,
    max_epochs: int,
) -> None:
    """Run ``fit``, ``validate``, ``test`` or ``predict``.

    Args:
        words: the command and its options.
        command_line: the application's.
        model: its LightningModule.
        data: its data module, or the base of several.
        description: what ``--help`` says before the commands.
        max_epochs: how long ``fit`` trains where nobody says.
    """
    _quiet_lightning()
    if checkpoint := checkpoint_in(words):
        check_readable(checkpoint)
    # In sys.argv Lightning looks for them, also to start more processes.
    sys.argv[1:] = with_configuration(words, command_line.program, command_line.demo)
    command_line(
        model,
        data,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        seed_everything_default=0,
        save_config_callback=SaveRunConfig,
        save_config_kwargs={"overwrite": True},  # by a resumed run
        parser_class=OneLineErrors,
        parser_kwargs={"prog": command_line.program, "description": description},
        trainer_defaults={"devices": 1, "max_epochs": max_epochs, "use_distributed_sampler": False},
    )


def _quiet_lightning() -> None:
    """Leave out what Lightning tells of itself and advises; warnings of other kinds stay."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers",
        ".*is smaller than the logging interval",
        ".*LeafSpec.* is deprecated",
        ".*exists and is not empty",  # of a resumed run, which goes on in its folder
        "You are using a custom batch sampler",  # which returns every sample once
        ".*The dirpath has changed from",  # of a test, which has a folder of its own
        ".*Trainer configured with multiple `ModelCheckpoint` callbacks",  # it takes the first, as it should
    ):
        warnings.filterwarnings("ignore", message)


def _as_list(value: Any) -> list[Any]:
    """Give an option's value, one, several or none, as a list; True stands for a default that runs have replaced."""
    if value is None or isinstance(value, bool):
        return []
    return list(value) if isinstance(value, list) else [value]
