"""The signs of a training of pix2pix that goes wrong: in the game of G and D, in G's outputs, and between pairs."""

from pix2pix.signs.balance import SkippedSteps, StrongDiscriminator, UnequalGradients
from pix2pix.signs.outputs import Checkerboard, ConstantOutputs, Saturation
from pix2pix.signs.variety import LittleVariety, NotTheirTargets

__all__ = [
    "Checkerboard",
    "ConstantOutputs",
    "LittleVariety",
    "NotTheirTargets",
    "Saturation",
    "SkippedSteps",
    "StrongDiscriminator",
    "UnequalGradients",
]
