from .data import SceneData
from .encoders import EfficientNetLite0Encoder, Encoder, ResNetEncoder, SmallEncoder
from .module import MultiTask
from .predictor import Predictor
from .tasks import BinaryMaps, Classification, Depth, Detection, Normals, Segmentation, Task

__version__: str

__all__ = [
    "BinaryMaps",
    "Classification",
    "Depth",
    "Detection",
    "EfficientNetLite0Encoder",
    "Encoder",
    "MultiTask",
    "Normals",
    "Predictor",
    "ResNetEncoder",
    "SceneData",
    "Segmentation",
    "SmallEncoder",
    "Task",
]
