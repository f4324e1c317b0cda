"""What a run of pix2pix does beside training: pictures, predictions, an averaged generator."""

from pix2pix.callbacks.ema import GeneratorEMA
from pix2pix.callbacks.predictions import PredictionWriter
from pix2pix.callbacks.samples import SampleGrid

__all__ = ["GeneratorEMA", "PredictionWriter", "SampleGrid"]
