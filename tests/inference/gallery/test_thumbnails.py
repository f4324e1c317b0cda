import base64
import io

import numpy as np
import pytest
from PIL import Image

from inference.gallery.thumbnails import data_uri, thumbnail


def opened(uri: str) -> tuple[Image.Image, int]:
    content = base64.b64decode(uri.removeprefix("data:image/webp;base64,"), validate=True)
    return Image.open(io.BytesIO(content)), len(content)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_a_small_picture_that_fits_keeps_every_pixel() -> None:
    picture = noise(20, 10)
    small, _ = opened(thumbnail(picture, 12_000))
    assert np.array_equal(np.array(small), np.array(picture))


@pytest.mark.parametrize("most", [12_000, 3_500, 900])
def test_a_large_one_takes_no_more_bytes_than_it_may(most: int) -> None:
    small, size = opened(thumbnail(noise(800, 400), most))
    assert size <= most
    assert 32 <= small.width <= 256
    assert abs(small.width - 2 * small.height) <= 1


def test_it_is_not_made_too_small_to_see() -> None:
    small, size = opened(thumbnail(noise(400, 400).convert("L"), 10))
    assert small.size == (32, 32)
    assert size > 10


def test_an_address_holds_its_bytes() -> None:
    assert data_uri(b"hello", "text/plain") == "data:text/plain;base64,aGVsbG8="
