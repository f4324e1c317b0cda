"""The command line: ``python -m pix2pix fit | validate | test | predict | pair``."""

import csv
import logging
import pickle
import signal
import sys
import warnings
from collections.abc import Sequence
from datetime import datetime
from importlib import util
from pathlib import Path
from typing import Any, Literal, NoReturn

import lightning.pytorch as pl
import torch
import yaml
from jsonargparse import auto_cli
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from pix2pix.baselines import measure_baselines
from pix2pix.callbacks import (
    AtomicCheckpointIO,
    Curves,
    ExactResume,
    Interrupted,
    LastCheckpoint,
    PredictionWriter,
    ProgressBar,
    SampleGrid,
)
from pix2pix.data import PairedImages
from pix2pix.data.pairing import pair
from pix2pix.module import Pix2Pix

DESCRIPTION = (
    "Paired image-to-image translation. One more command makes a data set: `pix2pix pair A B OUT` writes pictures "
    "side by side from two folders. Without --config, `fit` runs the demo, line drawings to coloured pictures. "
    "--debug shows the tracebacks of errors."
)
DEMO = "emoji"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. Bad input ends with one line and exit code 1, bad usage with one line and exit code 2.

    Args:
        arguments: the words after ``pix2pix``; by default those of the process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        if words[:1] == ["pair"]:
            auto_cli(pair, args=words[1:], prog="pix2pix pair", parser_class=OneLineErrors)
        else:
            _quiet_lightning()
            if checkpoint := _checkpoint_in(words):
                _check_readable(checkpoint)
            sys.argv[1:] = _with_configuration(words)  # where Lightning looks, also to start more processes
            CommandLine(
                Pix2Pix,
                PairedImages,
                subclass_mode_data=True,
                auto_configure_optimizers=False,
                seed_everything_default=0,
                save_config_callback=SaveRunConfig,
                save_config_kwargs={"overwrite": True},  # by a resumed run
                parser_class=OneLineErrors,
                parser_kwargs={"prog": "pix2pix", "description": DESCRIPTION},
                trainer_defaults={"devices": 1, "max_epochs": 200, "use_distributed_sampler": False},
            )
    except Interrupted as stop:
        _say(f"\nstopped; go on with: python -m pix2pix fit --ckpt_path {stop.checkpoint}")
        sys.exit(128 + stop.signal)
    except (ValueError, OSError, ModuleNotFoundError, MisconfigurationException) as error:
        if debug:
            raise
        sys.exit(f"pix2pix: error: {_one_line(error)} (--debug shows where)")
    except KeyboardInterrupt:
        sys.stderr.write("pix2pix: stopped\n")
        sys.exit(128 + signal.SIGINT)


class OneLineErrors(LightningArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with the message and exit code 2."""
        sys.stderr.write(f"pix2pix: error: {_one_line(message)} (--help names the options)\n")
        sys.exit(2)


class SaveRunConfig(SaveConfigCallback):
    """Save the whole configuration in the run's folder, and with a run on Weights & Biases."""

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Send it to W&B."""
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_hyperparams(yaml.safe_load(self.parser.dump(self.config, skip_none=False)))


class CommandLine(LightningCLI):
    """LightningCLI with what every run of pix2pix leaves behind."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options that are neither the model's, nor the data's, nor the trainer's."""
        parser.add_argument("--runs", type=str, default="runs", help="Folder of all runs.")
        parser.add_argument("--name", type=str, default="pix2pix", help="Name of the run's folder in it.")
        parser.add_argument(
            "--wandb",
            type=Literal["offline", "online", "off"],
            default="offline",
            help="Log to Weights & Biases too, where the package wandb is installed: offline writes to the run's "
            "folder (`wandb sync` sends it later), online sends it, which needs a network and `wandb login`.",
        )
        parser.add_lightning_class_args(SampleGrid, "samples")

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Make the trainer with the callbacks, loggers and plugins of every run."""
        given = self._get(self.config_init, "trainer")
        strategy = given["strategy"]
        if strategy == "auto" and (given["devices"] != 1 or given["num_nodes"] != 1):
            # Plain ddp cannot train a GAN: in each backward one of the two networks has no gradients.
            strategy = "ddp_find_unused_parameters_true"
        self.trainer_defaults["callbacks"] = self._callbacks()
        return super().instantiate_trainer(
            logger=False if given["fast_dev_run"] else [*self._loggers(), *_as_list(given["logger"])],
            plugins=[*_as_list(given["plugins"]), AtomicCheckpointIO()],
            strategy=strategy,
            **kwargs,
        )

    def _callbacks(self) -> list[Callback]:
        trainer = self._get(self.config_init, "trainer")
        callbacks: list[Callback] = [ProgressBar(), ExactResume(), Curves(), PredictionWriter()]
        if trainer["enable_checkpointing"] is not False and not trainer["fast_dev_run"]:
            best = ModelCheckpoint(
                filename="best",
                monitor="val/l1",
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
        if self.subcommand == "fit" and checkpoint and (resumed := _run_of(checkpoint)):
            runs, name, time = str(resumed.parent.parent), resumed.parent.name, resumed.name
            loggers: list[Logger] = [_continued_csv(runs, name, time, checkpoint)]
        else:
            loggers = [CSVLogger(runs, name, version=time)]
        if wandb != "off" and util.find_spec("wandb"):
            loggers.append(_wandb_logger(name, time, Path(runs, name, time), online=wandb == "online"))
        elif wandb == "online":
            raise ModuleNotFoundError("--wandb online needs the package wandb: pip install 'pix2pix-multitask[wandb]'")
        return loggers

    def before_fit(self) -> None:
        """Say where the run is."""
        _say(f"run: {self.trainer.log_dir}")

    def after_fit(self) -> None:
        """Measure the best checkpoint on the test pairs, beside baselines, and say where the pictures are."""
        run = self.trainer.log_dir
        if self._get(self.config, "trainer")["fast_dev_run"] or self.trainer.checkpoint_callback is None:
            return
        self.trainer.test(datamodule=self.datamodule, ckpt_path="best", verbose=False)
        if self.trainer.is_global_zero:
            print(self._report())
            print(f"pictures: {run}/samples   curves: {run}/curves.png   checkpoints: {run}/checkpoints")

    def before_validate(self) -> None:
        """Insist on a checkpoint."""
        self._need_checkpoint()

    def before_test(self) -> None:
        """Insist on a checkpoint."""
        self._need_checkpoint()

    def after_test(self) -> None:
        """Compare with what needs no training."""
        if self.trainer.is_global_zero:
            print(self._report())

    def before_predict(self) -> None:
        """Insist on a checkpoint."""
        self._need_checkpoint()

    def after_predict(self) -> None:
        """Say where the pictures are."""
        _say(f"pictures: {self.trainer.log_dir}/predictions")

    def _need_checkpoint(self) -> None:
        if self._get(self.config, "ckpt_path") is None:
            raise ValueError(f"{self.subcommand} needs --ckpt_path, such as runs/NAME/TIME/checkpoints/best.ckpt")

    def _report(self) -> str:
        """Make a table of the test measures and the baselines'."""
        ours = {key: self.trainer.callback_metrics[f"test/{key}"].item() for key in ("l1", "psnr", "ssim")}
        rows = {"this model": ours, **measure_baselines(self.datamodule)}
        lines = [f"{'test pairs':<20}      L1    PSNR    SSIM"]
        lines += [f"{name:<20}  {row['l1']:.4f}  {row['psnr']:6.2f}  {row['ssim']:.4f}" for name, row in rows.items()]
        return "\n".join(lines)


def _with_configuration(words: list[str]) -> list[str]:
    """Fill in the configuration of a command that names none, and find those that travel with the package by name.

    Without ``--config``, ``fit`` takes the demo's, and another command that of the run whose checkpoint it is given.
    """
    if not words or words[0].startswith("-"):
        return words
    options = words[1:]
    given = [index for index, word in enumerate(options) if word in ("-c", "--config")]
    for index in given:
        shipped = _configurations() / f"{''.join(options[index + 1 : index + 2])}.yaml"
        if shipped.is_file():
            options[index + 1] = str(shipped)
    if not given and not any(word.startswith("--config=") for word in options):
        checkpoint = _checkpoint_in(options)
        run = _run_of(checkpoint) if checkpoint else None
        configuration = run / "config.yaml" if run else _configurations() / f"{DEMO}.yaml"
        options = ["--config", str(configuration), *options]
    return [words[0], *options]


def _configurations() -> Path:
    """Give the folder of the configurations: inside the installed package, or at the top of a clone."""
    package = Path(__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs" / "pix2pix"


def _checkpoint_in(options: list[str]) -> str | None:
    for index, word in enumerate(options):
        option, equals, value = word.partition("=")
        if option == "--ckpt_path":
            return value if equals else "".join(options[index + 1 : index + 2])
    return None


def _check_readable(checkpoint: str) -> None:
    """Refuse what is no checkpoint of ours, before anything is begun; its tensors are not read for that."""
    try:
        readable = "state_dict" in torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{checkpoint}: no such file") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, TypeError):
        readable = False
    if not readable:
        raise ValueError(f"{checkpoint}: no checkpoint that can be read; take another, such as last.ckpt or best.ckpt")


def _run_of(checkpoint: str) -> Path | None:
    """Give the folder of the run that wrote ``checkpoint``, if that is where it lies."""
    run = Path(checkpoint).absolute().parent.parent
    return run if (run / "config.yaml").is_file() else None


def _continued_csv(runs: str, name: str, time: str, checkpoint: str) -> CSVLogger:
    """Make a CSV logger that keeps what a resumed run has logged up to its checkpoint; Lightning's own begins anew."""
    file = Path(runs, name, time, "metrics.csv")
    rows = list(csv.DictReader(file.read_text().splitlines())) if file.is_file() else []
    done = torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"]
    logger = CSVLogger(runs, name, version=time)
    for row in rows:
        step = int(row.pop("step"))
        if step < done:
            logger.log_metrics({key: float(value) for key, value in row.items() if value}, step)
    logger.save()
    return logger


def _wandb_logger(name: str, time: str, folder: Path, online: bool) -> WandbLogger:
    """Make the logger of Weights & Biases; one that is online connects here, before anything is begun."""
    import wandb

    logger = WandbLogger(
        name=f"{name} {time}",
        id=f"{name}-{time}",
        resume="allow",
        save_dir=folder,
        project="pix2pix",
        offline=not online,
        settings=wandb.Settings(silent=True, console="off"),
    )
    if online:
        try:
            _ = logger.experiment
        except wandb.Error as error:
            raise ValueError(f"--wandb online: {error}; run `wandb login`, or take --wandb offline") from None
    return logger


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


@rank_zero_only
def _say(line: str) -> None:
    print(line)


def _as_list(value: Any) -> list[Any]:
    """Give an option's value, one, several or none, as a list; True stands for a default that runs have replaced."""
    if value is None or isinstance(value, bool):
        return []
    return list(value) if isinstance(value, list) else [value]


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


if __name__ == "__main__":
    main()
