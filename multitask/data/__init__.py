"""Scenes on disk, and what is done with them before training."""

from multitask.data.batches import collate
from multitask.data.mtan import MTAN
from multitask.data.scenes import DepthMap, InverseDepthMap, NormalMap, Scene, Scenes
from multitask.data.transforms import RandomScaleCropFlip

__all__ = ["MTAN", "DepthMap", "InverseDepthMap", "NormalMap", "RandomScaleCropFlip", "Scene", "Scenes", "collate"]
