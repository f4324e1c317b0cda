"""Pictures that come over HTTP, and the limits on them."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass

from inference.pictures import Axes, DataError, Picture, open_picture

THE_PICTURE = "the picture"  # what messages call an upload


class TooManyBytesError(DataError):
    """An upload is larger than is allowed."""


@dataclass(frozen=True)
class Limits:
    """What the server takes on.

    Args:
        bytes: of an upload, at least 1.
        pixels: of a picture, at least 1, known before it is decoded.
        requests: that are worked on or wait at the same time, at least 1.
        seconds: that an upload may take, and then that a picture may wait for its turn, above 0.

    Raises:
        ValueError: one is outside its range.
    """

    bytes: int = 20_000_000
    pixels: int = 25_000_000
    requests: int = 32
    seconds: float = 60.0

    def __post_init__(self) -> None:
        for name in ("bytes", "pixels", "requests"):
            if getattr(self, name) < 1:
                raise ValueError(f"limits.{name} must be at least 1; got {getattr(self, name)}")
        if not self.seconds > 0:
            raise ValueError(f"limits.seconds must be above 0; got {self.seconds}")


async def read_upload(declared: str | None, parts: AsyncIterator[bytes], most: int) -> bytes:
    """Read the body of a request, and no more than is allowed.

    Args:
        declared: how long it says that it is, if it does.
        parts: of the body, as they arrive.
        most: how many bytes it may have.

    Raises:
        TooManyBytesError: it says that it has more, or has.
        DataError: it is empty.
    """
    too_many = TooManyBytesError(f"{THE_PICTURE}: more than {most / 1e6:g} MB; send a smaller file")
    if declared is not None and declared.isdecimal() and int(declared) > most:
        raise too_many
    body = bytearray()
    async for part in parts:
        body += part
        if len(body) > most:
            raise too_many
    if not body:
        raise DataError("the body of the request must be a picture's file; it is empty")
    return bytes(body)


def open_upload(body: bytes, axes: Axes, limits: Limits) -> Picture:
    """Open a picture that was uploaded.

    Args:
        body: its file.
        axes: how the arrays of files lie.
        limits: on its pixels.

    Raises:
        DataError: it cannot be read, or is too large.
    """
    return open_picture(io.BytesIO(body), THE_PICTURE, axes, most_pixels=limits.pixels)
