"""What a run does beside training: pictures, curves, checkpoints that survive, an exact resume."""

from pix2pix.callbacks.checkpoint_io import AtomicCheckpointIO
from pix2pix.callbacks.curves import Curves
from pix2pix.callbacks.ema import GeneratorEMA
from pix2pix.callbacks.exact_resume import ExactResume
from pix2pix.callbacks.last_checkpoint import Interrupted, LastCheckpoint
from pix2pix.callbacks.predictions import PredictionWriter
from pix2pix.callbacks.progress import ProgressBar
from pix2pix.callbacks.samples import SampleGrid

__all__ = [
    "AtomicCheckpointIO",
    "Curves",
    "ExactResume",
    "GeneratorEMA",
    "Interrupted",
    "LastCheckpoint",
    "PredictionWriter",
    "ProgressBar",
    "SampleGrid",
]
