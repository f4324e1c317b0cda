import io

import numpy as np
import pytest
from PIL import Image

from inference import Picture
from inference.pictures import Array
from training.doctor import Examined, facts_of
from training.doctor.duplicates import duplicates as find

RANDOM = np.random.default_rng(0)


def picture() -> Array:
    """Smooth, as photographs are: of 8 x 8 colors."""
    colors = RANDOM.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.array(Image.fromarray(colors).resize((64, 64), Image.Resampling.BICUBIC))


def compressed(array: Array, size: tuple[int, int] = (64, 64)) -> Array:
    file = io.BytesIO()
    Image.fromarray(array).resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=90)
    return np.array(Image.open(file))


def sample(split: str, name: str, array: Array) -> Examined:
    return Examined(split, name, 0, {"input": facts_of(Picture.of(array))})


def test_copies_within_a_split_and_across_are_told_apart() -> None:
    one, two, three = picture(), picture(), picture()
    samples = [
        sample("train", "a", one),
        sample("train", "b", one),
        sample("train", "c", two),
        sample("test", "d", two),
        sample("test", "e", three),
        Examined("test", "f", 0, {}, "broken"),
    ]
    across, within = find(samples, "pairs")
    assert (across.severity, [*map(str, across.where)]) == ("error", ["train/c and test/d"])
    assert (within.severity, [*map(str, within.where)]) == ("warning", ["train/a and train/b"])


def test_what_compression_or_size_alone_tells_apart_is_near() -> None:
    one, two = picture(), picture()
    samples = [
        sample("train", "a", one),
        sample("train", "b", two),
        sample("test", "c", compressed(one)),
        sample("val", "d", compressed(two, (52, 52))),
        sample("test", "e", 255 - one),
    ]
    (near,) = find(samples, "pairs")
    assert near.severity == "warning"
    assert sorted(map(str, near.where)) == ["train/a and test/c", "train/b and val/d"]


def test_many_are_compared_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.doctor.duplicates.CHUNK", 2)
    arrays = [picture() for _ in range(5)]
    samples = [sample("train", str(index), array) for index, array in enumerate(arrays)]
    samples += [sample("test", str(index), compressed(array)) for index, array in enumerate(arrays)]
    (near,) = find(samples, "pairs")
    assert [*map(str, near.where)] == [f"train/{index} and test/{index}" for index in range(5)]
