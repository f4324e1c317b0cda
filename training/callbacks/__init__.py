"""What a run does besides training: checkpoints, sample pictures, curves, progress, health."""

from training.callbacks.bad_samples import BadSamples
from training.callbacks.best_checkpoint import BestCheckpoint
from training.callbacks.checkpoint_artifact import CheckpointArtifact
from training.callbacks.curves import Curves, Panels
from training.callbacks.data_summary import DataSummary
from training.callbacks.exact_resume import ExactResume
from training.callbacks.finite_losses import FiniteLosses
from training.callbacks.gap import Gap
from training.callbacks.glance import Glance
from training.callbacks.health import Health
from training.callbacks.last_checkpoint import Interrupted, LastCheckpoint
from training.callbacks.networks import Networks
from training.callbacks.picture_table import PictureTable
from training.callbacks.progress import ProgressBar
from training.callbacks.sample_pictures import SamplePictures
from training.callbacks.sign import Epoch, Sign

__all__ = [
    "BadSamples",
    "BestCheckpoint",
    "CheckpointArtifact",
    "Curves",
    "DataSummary",
    "Epoch",
    "ExactResume",
    "FiniteLosses",
    "Gap",
    "Glance",
    "Health",
    "Interrupted",
    "LastCheckpoint",
    "Networks",
    "Panels",
    "PictureTable",
    "ProgressBar",
    "SamplePictures",
    "Sign",
]
