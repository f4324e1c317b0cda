"""What a run of pix2pix does besides training: averaged weights, recalibrated statistics, files of translations."""

from pix2pix.callbacks.ema import GeneratorEMA
from pix2pix.callbacks.predictions import PredictionWriter
from pix2pix.recalibration import Recalibration

__all__ = ["GeneratorEMA", "PredictionWriter", "Recalibration"]
