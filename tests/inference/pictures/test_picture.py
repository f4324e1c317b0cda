import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from inference import DataError, Picture
from inference.pictures.picture import DTYPES
from inference.sizes import Box

ARRAY = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)


def test_arrays_tensors_and_pictures_of_pillow_are_pictures() -> None:
    tensor = torch.from_numpy(ARRAY).movedim(-1, 0)
    for value in (ARRAY, tensor, Image.fromarray(ARRAY), Picture.of(ARRAY)):
        picture = Picture.of(value)
        assert (picture.height, picture.width, picture.channels) == (5, 6, 3)
        assert np.array_equal(picture.read(), ARRAY)
    assert Picture.of(ARRAY[..., 0]).channels == Picture.of(tensor[0]).channels == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_dtype_is_kept(dtype: str) -> None:
    assert Picture.of(ARRAY.astype(dtype)).read().dtype == dtype
    assert Picture.of(torch.from_numpy(ARRAY.astype(dtype)).movedim(-1, 0)).read().dtype == dtype


def test_a_part_of_a_part() -> None:
    part = Picture.of(ARRAY).part(Box(1, 2, 4, 3)).part(Box(1, 1, 2, 2))
    assert part.size == (2, 2)
    assert np.array_equal(part.read(), ARRAY[2:4, 3:5])
    assert np.array_equal(part.read(Box(1, 0, 1, 2)), ARRAY[3:4, 3:5])


def test_what_is_read_may_be_written_to() -> None:
    array = ARRAY.copy()
    Picture.of(array).read()[:] = 0
    assert np.array_equal(array, ARRAY)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros(3), "expected an array of height x width x channels, .*; got 3$"),
        ("a.png", "expected an array .*; got str$"),
        (np.zeros((2, 2)), "numbers of type float64; save it as one of bool, uint8, uint16, int16, float32"),
        (np.zeros((0, 2, 3), np.uint8), "an empty picture of 0 x 2 x 3"),
        (Image.new("CMYK", (2, 2)), "colors in CMYK; convert it to RGB first"),
    ],
)
def test_what_is_no_picture_is_refused(value: object, message: str) -> None:
    with pytest.raises(DataError, match=f"mine: {message}"):
        Picture.of(value, "mine")  # type: ignore[arg-type]


def test_labels_are_one_channel_of_integers() -> None:
    assert Picture.of(ARRAY[..., :1]).labels().channels == 1
    with pytest.raises(DataError, match="3 channels of uint8 are no numbers of classes"):
        Picture.of(ARRAY).labels()
    with pytest.raises(DataError, match="1 channels of float32 are no numbers of classes"):
        Picture.of(ARRAY[..., 0].astype(np.float32)).labels()


def test_an_error_keeps_its_line_when_a_worker_sends_it_home() -> None:
    """As torch's ExceptionWrapper makes it again: from its own text with a traceback around."""
    text = "Caught DataError in DataLoader worker process 0.\nOriginal Traceback:\n  File ...\n"
    again = DataError(f"{text}{DataError.__module__}.DataError: a.png: damaged\n")
    assert str(again) == "a.png: damaged"
    assert str(pickle.loads(pickle.dumps(again))) == "a.png: damaged"
