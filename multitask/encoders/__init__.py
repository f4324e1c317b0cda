"""Encoders, one in a file: what makes features of pictures, for all tasks together."""

from multitask.encoders.efficientnet import EfficientNetLite0Encoder
from multitask.encoders.encoder import Encoder
from multitask.encoders.resnet import ResNetEncoder
from multitask.encoders.small import SmallEncoder

__all__ = ["EfficientNetLite0Encoder", "Encoder", "ResNetEncoder", "SmallEncoder"]
