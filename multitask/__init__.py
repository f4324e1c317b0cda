"""Multi-task learning: one encoder, several dense tasks, their losses balanced by learned weights."""

from importlib.metadata import version

import lazy_loader

__version__ = version("pix2pix-multitask")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # the names are in __init__.pyi
