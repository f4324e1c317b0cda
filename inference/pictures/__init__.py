"""Pictures of any depth and number of channels, as they are stored."""

from inference.pictures.display import as_rgb, heat, paint, palette, shade, to_picture
from inference.pictures.files import (
    EXTENSIONS,
    File,
    ending_for,
    list_pictures,
    open_picture,
    picture_names,
    what_is_there,
    write_picture,
)
from inference.pictures.format import NaN, PictureFormat, Window, shown_range
from inference.pictures.picture import Array, DataError, Picture, TooLargeError, refuse_larger, sizes_differ, slices
from inference.pictures.sheet import sheet
from inference.pictures.tiff import Axes, open_pages

__all__ = [
    "EXTENSIONS",
    "Array",
    "Axes",
    "DataError",
    "File",
    "NaN",
    "Picture",
    "PictureFormat",
    "TooLargeError",
    "Window",
    "as_rgb",
    "ending_for",
    "heat",
    "list_pictures",
    "open_pages",
    "open_picture",
    "paint",
    "palette",
    "picture_names",
    "refuse_larger",
    "shade",
    "sheet",
    "shown_range",
    "sizes_differ",
    "slices",
    "to_picture",
    "what_is_there",
    "write_picture",
]
