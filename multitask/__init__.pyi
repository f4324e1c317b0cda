from .data import SceneData
from .encoders import Encoder, SmallEncoder, TimmEncoder
from .module import MultiTask
from .predictor import Predictor
from .tasks import BinaryMaps, Classification, Depth, Detection, Normals, Segmentation, Task

__version__: str

__all__ = [
    "BinaryMaps",
    "Classification",
    "Depth",
    "Detection",
    "Encoder",
    "MultiTask",
    "Normals",
    "Predictor",
    "SceneData",
    "Segmentation",
    "SmallEncoder",
    "Task",
    "TimmEncoder",
]
