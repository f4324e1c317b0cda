from .data import PairedImages
from .discriminators import Discriminator, PatchDiscriminator
from .generators import Generator, ResNetGenerator, UNetGenerator
from .module import Pix2Pix
from .translator import Translator

__version__: str

__all__ = [
    "Discriminator",
    "Generator",
    "PairedImages",
    "PatchDiscriminator",
    "Pix2Pix",
    "ResNetGenerator",
    "Translator",
    "UNetGenerator",
]
