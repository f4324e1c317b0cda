"""What a run of pix2pix does besides training: averaged weights, translations, health, more metrics."""

from pix2pix.callbacks.ema import GeneratorEMA
from pix2pix.callbacks.health import Pix2PixHealth
from pix2pix.callbacks.predictions import PredictionWriter
from pix2pix.callbacks.set_metrics import SetMetrics
from pix2pix.recalibration import Recalibration

__all__ = ["GeneratorEMA", "Pix2PixHealth", "PredictionWriter", "Recalibration", "SetMetrics"]
