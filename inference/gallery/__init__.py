"""A page of pictures and their metrics, to sort, filter and compare: one HTML file, and the full pictures beside it."""

from inference.gallery.folder import GalleryFolder
from inference.gallery.page import About, Item, Shown

__all__ = ["About", "GalleryFolder", "Item", "Shown"]
