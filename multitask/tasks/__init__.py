"""The tasks, one per file."""

from multitask.tasks.binary_maps import BinaryMaps
from multitask.tasks.classification import Classification
from multitask.tasks.depth import Depth
from multitask.tasks.detection import Detection
from multitask.tasks.normals import Normals
from multitask.tasks.segmentation import Segmentation
from multitask.tasks.task import Task

__all__ = ["BinaryMaps", "Classification", "Depth", "Detection", "Normals", "Segmentation", "Task"]
