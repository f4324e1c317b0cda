"""Scenes on disk, their augmentation, and batches of them."""

from inference import DataError
from multitask.data.batches import collate
from multitask.data.folders import Folders
from multitask.data.module import SceneData
from multitask.data.mtan import MTAN
from multitask.data.rooms import ROOM_CLASSES, Rooms
from multitask.data.scenes import DepthMap, InverseDepthMap, NormalMap, Scene, Scenes
from multitask.data.transforms import RandomScaleCropFlip

__all__ = [
    "MTAN",
    "ROOM_CLASSES",
    "DataError",
    "DepthMap",
    "Folders",
    "InverseDepthMap",
    "NormalMap",
    "RandomScaleCropFlip",
    "Rooms",
    "Scene",
    "SceneData",
    "Scenes",
    "collate",
]
