"""Multi-task learning: one encoder, several dense tasks, their losses balanced by learned weights."""

from multitask.encoders import EfficientNetLite0Encoder, Encoder, ResNetEncoder, SmallEncoder
from multitask.module import MultiTask
from multitask.tasks import Classification, Depth, Detection, Normals, Segmentation, Task

__all__ = [
    "Classification",
    "Depth",
    "Detection",
    "EfficientNetLite0Encoder",
    "Encoder",
    "MultiTask",
    "Normals",
    "ResNetEncoder",
    "Segmentation",
    "SmallEncoder",
    "Task",
]
