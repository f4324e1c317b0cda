import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from inference import DataError, Picture
from inference.pictures import PictureFormat
from inference.pictures.format import range_of, to_channels
from inference.pictures.picture import Array
from inference.sizes import Box


def there_and_back(format: PictureFormat, array: Array) -> Array:
    return format.to_array(format.to_network(format.read(Picture.of(array))))


@given(st.sampled_from(["bool", "uint8", "uint16", "int16"]), st.integers(1, 9), st.data())
def test_integers_come_back_as_they_were(dtype: str, channels: int, data: st.DataObject) -> None:
    array = data.draw(arrays(dtype, (3, 4, channels)))
    assert np.array_equal(there_and_back(PictureFormat(channels, dtype), array), array)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_every_value_comes_back(dtype: str) -> None:
    low, high = range_of(np.dtype(dtype))
    array = np.arange(low, high + 1, dtype=dtype).reshape(-1, 16, 1)
    assert np.array_equal(there_and_back(PictureFormat(1, dtype), array), array)
    window = (float(low + (high - low) // 4), float(high - (high - low) // 5))
    inside = array.clip(int(window[0]), int(window[1]))
    assert np.array_equal(there_and_back(PictureFormat(1, dtype, window), array), inside)


def test_the_window_becomes_minus_one_to_one() -> None:
    format = PictureFormat(1, "float32", (-1000.0, 3000.0))
    array = np.array([-2000, -1000, 0, 1000, 3000, 9000], np.float32).reshape(1, 6, 1)
    seen = format.to_network(format.read(Picture.of(array)))
    assert seen.dtype == torch.float32
    assert seen.flatten().tolist() == [-1, -1, -0.5, 0, 1, 1]
    assert format.to_array(seen).flatten().tolist() == [-1000, -1000, 0, 1000, 3000, 3000]
    assert format.clipped(array) == 2


def test_8_bits_stay_8_bits_until_the_network() -> None:
    """Resizing and jitter work on them as they always did."""
    values = PictureFormat(1).read(Picture.of(np.array([[0, 51, 255]], np.uint8)))
    assert values.dtype == torch.uint8
    assert torch.equal(PictureFormat(1).to_network(values), torch.tensor([[[-1, 51 / 127.5 - 1, 1]]]))


def test_an_input_of_another_depth_has_its_own_range() -> None:
    deep = PictureFormat(1).read(Picture.of(np.array([[0, 65535]], np.uint16)))
    assert deep.flatten().tolist() == [0, 1]


def test_outputs_beyond_the_range_end_at_it() -> None:
    output = torch.tensor([-1.5, 1.5]).reshape(1, 1, 2)
    assert PictureFormat(1, "uint16").to_array(output).flatten().tolist() == [0, 65535]
    assert PictureFormat(1, "uint8", (-20.0, 300.0)).to_array(output).flatten().tolist() == [0, 255]


def test_classes_become_channels() -> None:
    format = PictureFormat(3, "uint8", labels=3)
    classes = np.array([[0, 1, 2]], np.uint8)
    seen = format.to_network(format.read(Picture.of(classes)))
    assert seen.tolist() == [[[1, -1, -1]], [[-1, 1, -1]], [[-1, -1, 1]]]
    with pytest.raises(DataError, match="mine: class 3 does not exist, there are 3, numbered from 0"):
        format.read(Picture.of(classes + 1, "mine"))


def test_unknown_pixels_are_refused_or_stay_unknown() -> None:
    array = np.array([[[1.0, np.nan], [0.5, 0.5]]], np.float32)
    with pytest.raises(DataError, match="mine: 1 pixels are NaN; set nan to mask if they are unknown"):
        PictureFormat(2, "float32").read(Picture.of(array, "mine"))
    seen = PictureFormat(2, "float32", nan="mask").read(Picture.of(array, "mine"))
    assert seen.isnan().sum() == 1


def test_floating_point_without_a_window_is_of_0_to_1() -> None:
    format = PictureFormat(1)
    assert format.read(Picture.of(np.array([[0, 0.5, 1]], np.float32))).flatten().tolist() == [0, 0.5, 1]
    with pytest.raises(DataError, match=r"mine: float32 beyond \[0, 1\], and no window that says what they mean"):
        format.read(Picture.of(np.array([[0, 1.5]], np.float32), "mine"))


def test_a_part_is_that_of_the_whole() -> None:
    picture = Picture.of(np.random.default_rng(0).integers(0, 65536, (8, 9, 5), dtype=np.uint16))
    format = PictureFormat(5, "uint16")
    assert torch.equal(format.read(picture, Box(2, 3, 4, 5)), format.read(picture)[:, 2:6, 3:8])


@pytest.mark.parametrize("wanted", [1, 3, 4])
@pytest.mark.parametrize("given_mode", ["L", "LA", "RGB", "RGBA"])
def test_colors_are_converted_as_pillow_does(given_mode: str, wanted: int) -> None:
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}[given_mode]
    array = np.random.default_rng(0).integers(0, 256, (16, 16, channels), dtype=np.uint8)
    theirs = Image.fromarray(array[..., 0] if channels == 1 else array).convert({1: "L", 3: "RGB", 4: "RGBA"}[wanted])
    assert np.array_equal(to_channels(array, wanted, ""), np.array(theirs).reshape(16, 16, wanted))


def test_deep_colors_are_converted_alike() -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (4, 4, 3), dtype=np.uint16)
    weights = np.array([19595, 38470, 7471]) / 65536
    assert np.abs(to_channels(deep, 1, "")[..., 0] - deep @ weights).max() <= 0.5
    unit = (deep / 65535).astype(np.float32)
    assert np.allclose(to_channels(unit, 1, "")[..., 0], unit @ weights, atol=1e-6)
    assert to_channels(deep, 4, "")[..., 3].tolist() == [[65535] * 4] * 4


def test_other_channels_are_not_made_up() -> None:
    with pytest.raises(DataError, match="mine: 5 channels, where 3 are wanted"):
        to_channels(np.zeros((2, 2, 5)), 3, "mine")
    with pytest.raises(DataError, match="mine: 3 channels, where 2 are wanted"):
        to_channels(np.zeros((2, 2, 3)), 2, "mine")


def test_a_checkpoint_keeps_a_format() -> None:
    format = PictureFormat(2, "int16", (-1.0, 2.0), None, "mask")
    assert PictureFormat.of(format._asdict()) == format
