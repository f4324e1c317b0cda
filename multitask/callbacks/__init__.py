"""What a run of several tasks does beside training: pictures and predictions."""

from multitask.callbacks.pictures import TaskPictures
from multitask.callbacks.predictions import PredictionWriter

__all__ = ["PredictionWriter", "TaskPictures"]
