"""Paired image-to-image translation with a conditional GAN (Isola et al. 2017)."""

from pix2pix.data import PairedImages
from pix2pix.discriminators import Discriminator, PatchDiscriminator
from pix2pix.generators import Generator, ResNetGenerator, UNetGenerator
from pix2pix.module import Pix2Pix

__all__ = [
    "Discriminator",
    "Generator",
    "PairedImages",
    "PatchDiscriminator",
    "Pix2Pix",
    "ResNetGenerator",
    "UNetGenerator",
]
