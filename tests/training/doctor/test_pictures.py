import numpy as np
import pytest
import torch

from inference import Picture
from training.doctor import facts_of

RANDOM = np.random.default_rng(0)


def test_facts_tell_what_a_picture_holds() -> None:
    array = RANDOM.integers(0, 256, (200, 400, 3), dtype=np.uint8)
    facts = facts_of(Picture.of(array))
    assert (facts.size, facts.kind, facts.constant) == ((200, 400), "3 x uint8", False)
    assert facts.thumbnail.shape == (3, 16, 16)
    assert facts.gray.shape == (1, 64, 128)
    assert 0 <= facts.thumbnail.min() <= facts.thumbnail.max() <= 1
    torch.testing.assert_close(facts.gray.mean().item(), array.mean() / 255, rtol=0, atol=1e-2)


def test_content_tells_numbers_size_and_dtype_apart() -> None:
    array = RANDOM.integers(0, 256, (8, 4, 1), dtype=np.uint8)
    other = array.copy()
    other[3, 2] ^= 1
    same, *others = (
        facts_of(Picture.of(each)).content for each in (array, other, array.reshape(4, 8, 1), array.astype(np.uint16))
    )
    assert same == facts_of(Picture.of(array.copy())).content
    assert len({same, *others}) == 4


@pytest.mark.parametrize("array", [np.full((4, 4, 3), 7, np.uint8), np.zeros((1, 1, 1), np.float32)])
def test_one_color_is_constant(array: np.ndarray) -> None:
    assert facts_of(Picture.of(array)).constant


def test_floating_point_is_shown_by_what_it_holds_and_nan_is_black() -> None:
    array = np.full((32, 32, 1), 500.0, np.float32)
    array[:16] = -500
    array[0, 0] = np.nan
    facts = facts_of(Picture.of(array))
    assert facts.gray.aminmax() == (0, 1)
    assert not facts.constant
