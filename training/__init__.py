"""What every run of an application has: data that resume exactly, checkpoints that survive, a command line."""

from training.checkpoint_io import AtomicCheckpointIO
from training.command_line import CommandLine, run_command
from training.curves import Curves
from training.data import ResumableData
from training.exact_resume import ExactResume
from training.failures import one_line_failures
from training.files import DataError, read_picture
from training.last_checkpoint import Interrupted, LastCheckpoint
from training.network import Network
from training.progress import ProgressBar
from training.samples import Samples
from training.sampling import EpochBatchSampler, resume_position, run_seed, seed_of

__all__ = [
    "AtomicCheckpointIO",
    "CommandLine",
    "Curves",
    "DataError",
    "EpochBatchSampler",
    "ExactResume",
    "Interrupted",
    "LastCheckpoint",
    "Network",
    "ProgressBar",
    "ResumableData",
    "Samples",
    "one_line_failures",
    "read_picture",
    "resume_position",
    "run_command",
    "run_seed",
    "seed_of",
]
