"""Small pictures as text, for a page that holds them itself."""

import base64
import io
from typing import Any

from PIL import Image

LARGEST, SMALLEST = 256, 32  # the longer side, in pixels
BYTES_PER_PIXEL = 0.25  # of a WebP of a photograph, about
SMALLER = 0.75
WAYS: tuple[dict[str, Any], ...] = ({"lossless": True}, {"quality": 80})


def thumbnail(picture: Image.Image, most: int) -> str:
    """Return a small copy of a picture as the data URI of a WebP.

    Its longer side is at most that of the picture and 256 pixels, and as short as the bytes want it, but not below 32.
    It is without loss where that takes no more bytes.

    Args:
        picture: of 8 bits, gray or RGB.
        most: how many bytes its file may have, before it is text.
    """
    picture = picture.convert("RGB")
    side = min(LARGEST, max(picture.size), max(SMALLEST, int((most / BYTES_PER_PIXEL) ** 0.5)))
    while True:
        small = picture.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        for way in WAYS:
            file = io.BytesIO()
            small.save(file, "WEBP", **way)
            if file.tell() <= most:
                return data_uri(file.getvalue(), "image/webp")
        if side <= SMALLEST:
            return data_uri(file.getvalue(), "image/webp")
        side = max(SMALLEST, int(side * SMALLER))


def data_uri(content: bytes, kind: str) -> str:
    """Return bytes as an address that holds them; ``kind`` is their media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
