"""What a run of pix2pix does besides training: averaged weights, recalibrated statistics, translations, health."""

from pix2pix.callbacks.ema import GeneratorEMA
from pix2pix.callbacks.health import Pix2PixHealth
from pix2pix.callbacks.predictions import PredictionWriter
from pix2pix.recalibration import Recalibration

__all__ = ["GeneratorEMA", "Pix2PixHealth", "PredictionWriter", "Recalibration"]
