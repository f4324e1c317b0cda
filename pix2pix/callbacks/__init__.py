"""What a run of pix2pix does besides training: an averaged generator, and recalibrated statistics."""

from pix2pix.callbacks.ema import GeneratorEMA
from pix2pix.callbacks.recalibration import Recalibration

__all__ = ["GeneratorEMA", "Recalibration"]
