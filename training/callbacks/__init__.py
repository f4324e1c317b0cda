"""What a run does besides training: checkpoints, sample pictures, curves, predictions, progress."""

from training.callbacks.curves import Curves, Panels
from training.callbacks.data_summary import DataSummary
from training.callbacks.exact_resume import ExactResume
from training.callbacks.finite_losses import FiniteLosses
from training.callbacks.last_checkpoint import Interrupted, LastCheckpoint
from training.callbacks.progress import ProgressBar
from training.callbacks.sample_pictures import SamplePictures

__all__ = [
    "Curves",
    "DataSummary",
    "ExactResume",
    "FiniteLosses",
    "Interrupted",
    "LastCheckpoint",
    "Panels",
    "ProgressBar",
    "SamplePictures",
]
