"""Trained networks for other programs: as ONNX, as a program of torch, as safetensors; and other runtimes for them."""

from inference.export.check import batches_to_check, generated_pictures
from inference.export.files import FORMATS, Format, Source, export
from inference.export.graph import Graph
from inference.export.runtimes import Backend, Runtime, choose, converted, like_torch

__all__ = [
    "FORMATS",
    "Backend",
    "Format",
    "Graph",
    "Runtime",
    "Source",
    "batches_to_check",
    "choose",
    "converted",
    "export",
    "generated_pictures",
    "like_torch",
]
