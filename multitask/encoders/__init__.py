"""Encoders, one per file: they compute the features that all tasks share."""

from multitask.encoders.encoder import Encoder
from multitask.encoders.small import SmallEncoder
from multitask.encoders.timm import TimmEncoder

__all__ = ["Encoder", "SmallEncoder", "TimmEncoder"]
