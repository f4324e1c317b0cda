"""Paired pictures: layouts on disk, transforms, and the data modules that serve them."""

from inference import DataError
from pix2pix.data.emoji import Emoji
from pix2pix.data.module import PairedImages
from pix2pix.data.pairs import Pairs, SideBySide, TwoFolders
from pix2pix.data.parquet import Parquet
from pix2pix.data.stacks import Stacks

__all__ = ["DataError", "Emoji", "PairedImages", "Pairs", "Parquet", "SideBySide", "Stacks", "TwoFolders"]
