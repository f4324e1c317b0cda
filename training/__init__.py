"""What every run of an application has: data that resumes exactly, crash-safe checkpoints, a command line."""

from importlib.metadata import version

import lazy_loader

__version__ = version("pix2pix-multitask")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # the names are in __init__.pyi
