"""Encoders, one per file: they compute the features that all tasks share."""

from multitask.encoders.efficientnet import EfficientNetLite0Encoder
from multitask.encoders.encoder import Encoder
from multitask.encoders.resnet import ResNetEncoder
from multitask.encoders.small import SmallEncoder

__all__ = ["EfficientNetLite0Encoder", "Encoder", "ResNetEncoder", "SmallEncoder"]
