"""Paired image-to-image translation with a conditional GAN (Isola et al. 2017)."""

from importlib.metadata import version

import lazy_loader

__version__ = version("pix2pix-multitask")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # the names are in __init__.pyi
