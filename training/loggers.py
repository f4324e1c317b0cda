"""The loggers of a run besides its metrics.csv: Weights & Biases, and what Lightning's own loggers lack."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import util
from pathlib import Path

import yaml
from jsonargparse import Namespace
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger
from PIL import Image

from training.metrics_file import FILE, Metrics
from training.whole_files import whole_file

COPIES = "WANDB_DATA_DIR"  # the variable that says where W&B keeps copies of what it is going to send


def wandb_loggers(mode: str, project: str, run: Path) -> list[WandbLogger]:
    """Build the logger of Weights & Biases, or none if it is off, or not installed and not asked for.

    Args:
        mode: offline, online or off. One that is online connects here, before anything is begun.
        project: W&B's project.
        run: the run's folder, RUNS/NAME/TIME. Name and time are what W&B knows it by, also when it is resumed. One that
            is resumed offline begins with all that its metrics.csv holds.

    Raises:
        ModuleNotFoundError: online, and the package is not installed.
        ValueError: online, and W&B cannot be reached or does not know who is asking.
    """
    installed = util.find_spec("wandb") is not None
    if mode == "online" and not installed:
        raise ModuleNotFoundError("--wandb online needs the package wandb: pip install -e '.[wandb]'")
    if mode == "off" or not installed:
        return []
    import wandb

    os.environ.setdefault("WANDB_INIT_TIMEOUT", "20")  # seconds to connect, not 90
    wandb.setup(wandb.Settings(silent=True))  # not with the run's settings, which it complains about as it reads them
    logger = WandbLogger(
        name=f"{run.parent.name} {run.name}",
        id=f"{run.parent.name}-{run.name}",
        resume="allow",
        save_dir=run,
        project=project,
        offline=mode != "online",
        settings=wandb.Settings(mode="online" if mode == "online" else "offline", console="off"),
    )
    if mode == "online":
        try:
            _ = logger.experiment
        except wandb.Error as error:
            line = " ".join(str(error).split())
            raise ValueError(f"--wandb online: {line}; run `wandb login`, or take --wandb offline") from None
    elif (run / FILE).is_file():
        _log_again(logger, run)
    return [logger]


def _log_again(logger: WandbLogger, run: Path) -> None:
    """Log what a run has logged before it was stopped: its numbers, and its sample pictures.

    W&B writes an offline run that goes on to a file of its own. Sent after the first, that file replaces it, and so
    it has to hold the whole run.
    """
    validated = {}
    for step, values in Metrics(run / FILE).rows:
        logger.log_metrics(values, step)
        if any(name.startswith("val/") for name in values):
            validated[int(values["epoch"])] = step + 1  # batches done, which pictures are logged with
    for epoch, step in validated.items():
        if (picture := run / "samples" / f"epoch_{epoch:03}.png").is_file():
            logger.log_image("samples", [Image.open(picture)], step)


def log_text(loggers: Iterable[Logger], name: str, text: str, step: int) -> None:
    """Log a text: to TensorBoard with its step, and to the summary of the run on W&B, which keeps the last one.

    Args:
        loggers: those of the trainer, on the main process; others than these two are left out.
        name: of the text.
        text: one line or more.
        step: batches done.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary[name] = text
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_text(name, text.replace("\n", "  \n"), step)  # Markdown's line breaks


def log_table(
    loggers: Iterable[Logger], name: str, columns: Mapping[str, Sequence[str | Image.Image]], step: int
) -> None:
    """Log a table to W&B.

    Each time that it is logged is another version of an artifact, with copies of all its pictures: once in a run.

    Args:
        loggers: those of the trainer, on the main process; others are left out.
        name: of the table.
        columns: by their titles as many cells, texts or pictures.
        step: batches done.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            import wandb

            rows = zip(*columns.values(), strict=True)
            data = [[cell if isinstance(cell, str) else wandb.Image(cell) for cell in row] for row in rows]
            with copies_in_the_run(logger):
                logger.log_table(name, [*columns], data, step=step)


@contextmanager
def copies_in_the_run(logger: WandbLogger) -> Iterator[None]:
    """Let W&B keep its copies of files of tables and artifacts in the run's folder, unless the user says where.

    By itself it keeps them in the user's home, until they are sent. Those of an offline run stay.
    """
    given = os.environ.get(COPIES)
    os.environ[COPIES] = given or str(Path(logger.save_dir or "").absolute() / "wandb")
    try:
        yield
    finally:
        if given is None:
            del os.environ[COPIES]


class SaveRunConfig(SaveConfigCallback):
    """Save the whole configuration in the run's folder, and with a run on Weights & Biases."""

    config: Namespace

    # Not by SaveConfigCallback itself, which a full disk or a kill would leave with half of a file: that of a resumed
    # run replaces the one that it was resumed with.

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the run's folder, on all processes together, and save on the main one."""
        self._folder = Path(trainer.log_dir or trainer.default_root_dir)
        super().setup(trainer, pl_module, stage)

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save it, and send it to W&B."""
        text = self.parser.dump(self.config, skip_none=False)
        with whole_file(self._folder / self.config_filename) as file:
            file.write(text.encode())
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_hyperparams(yaml.safe_load(text))
