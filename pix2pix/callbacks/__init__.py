"""What a run of pix2pix does besides training: an averaged generator."""

from pix2pix.callbacks.ema import GeneratorEMA

__all__ = ["GeneratorEMA"]
