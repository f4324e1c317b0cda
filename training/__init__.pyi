from .callbacks import (
    Curves,
    DataSummary,
    ExactResume,
    FiniteLosses,
    Health,
    Interrupted,
    LastCheckpoint,
    ProgressBar,
    SamplePictures,
)
from .checkpoint_io import AtomicCheckpointIO
from .command_line import CommandLine
from .commands import Command, run_commands
from .data import (
    EpochBatchSampler,
    EpochDataset,
    Layout,
    ResumableData,
    resume_position,
    run_seed,
    seed_of,
)
from .metrics_file import Metrics
from .model import Model

__version__: str

__all__ = [
    "AtomicCheckpointIO",
    "Command",
    "CommandLine",
    "Curves",
    "DataSummary",
    "EpochBatchSampler",
    "EpochDataset",
    "ExactResume",
    "FiniteLosses",
    "Health",
    "Interrupted",
    "LastCheckpoint",
    "Layout",
    "Metrics",
    "Model",
    "ProgressBar",
    "ResumableData",
    "SamplePictures",
    "resume_position",
    "run_commands",
    "run_seed",
    "seed_of",
]
