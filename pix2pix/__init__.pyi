from .augmentation import DiffAugment
from .coarse_to_fine import CoarseToFineGenerator
from .data import PairedImages
from .discriminators import Discriminator, MultiScaleDiscriminator, PatchDiscriminator
from .generators import Generator, ResNetGenerator, UNetGenerator
from .module import Pix2Pix
from .penalties import R1, R2, LeCam, Penalty
from .perceptual import Lite0PerceptualLoss
from .registration import RegistrationLoss
from .translator import Translator

__version__: str

__all__ = [
    "R1",
    "R2",
    "CoarseToFineGenerator",
    "DiffAugment",
    "Discriminator",
    "Generator",
    "LeCam",
    "Lite0PerceptualLoss",
    "MultiScaleDiscriminator",
    "PairedImages",
    "PatchDiscriminator",
    "Penalty",
    "Pix2Pix",
    "RegistrationLoss",
    "ResNetGenerator",
    "Translator",
    "UNetGenerator",
]
