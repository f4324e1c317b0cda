import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Generator, Tensor

from inference import Picture
from inference.pictures import PictureFormat
from pix2pix.data.transforms import PairTransform


def run(transform: PairTransform, source: Tensor, target: Tensor, random: Generator | None) -> tuple[Tensor, Tensor]:
    """Transform two pictures as a data module does, whose files hold what they hold."""
    formats = PictureFormat(len(source)), PictureFormat(len(target))
    return transform((Picture.of(source), Picture.of(target)), formats, random)


def random(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def numbered(height: int, width: int) -> Tensor:
    """Every pixel another color: row, column, their sum."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, rows + columns]).to(torch.uint8)


@given(st.integers(0, 2**32), st.integers(4, 20), st.integers(4, 20))
def test_both_pictures_get_the_same_geometry(seed: int, height: int, width: int) -> None:
    transform = PairTransform(load_size=(height + 3, width + 5), crop_size=(height, width))
    picture = numbered(40, 30)
    source, target = run(transform, picture, picture.clone(), random(seed))
    assert source.shape == (3, height, width)
    assert torch.equal(source, target)


def test_crops_reach_every_place_and_half_of_the_pictures_are_mirrored() -> None:
    transform = PairTransform(load_size=None, crop_size=(2, 3))
    seen = set()
    for seed in range(400):
        source, _ = run(transform, numbered(4, 5), numbered(4, 5), random(seed))
        row, left, right = (round((value.item() + 1) * 127.5) for value in (source[0, 0, 0], *source[1, 0, [0, 2]]))
        seen.add((row, min(left, right), left > right))
    assert seen == {(row, column, flip) for row in range(3) for column in range(3) for flip in (False, True)}


def test_no_flip_when_it_is_off() -> None:
    transform = PairTransform(None, None, flip=False)
    picture = numbered(4, 4)
    for seed in range(20):
        source, _ = run(transform, picture, picture, random(seed))
        assert torch.equal(((source + 1) * 127.5).round(), picture)


def test_evaluation_resizes_to_the_crop_size_and_is_never_random() -> None:
    transform = PairTransform(load_size=20, crop_size=16, color_jitter=0.5)
    first, second = (run(transform, numbered(30, 40), numbered(30, 40), None)[0] for _ in range(2))
    assert first.shape == (3, 16, 16)
    assert torch.equal(first, second)
    assert run(PairTransform(load_size=8, crop_size=None), numbered(4, 4), numbered(4, 4), None)[0].shape == (3, 8, 8)


def test_values_are_in_the_range_of_tanh() -> None:
    extremes = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 2)
    source, target = run(PairTransform(None, None), extremes, extremes, None)
    assert source.dtype == target.dtype == torch.float32
    assert source.flatten().tolist() == [-1.0, 1.0]


def test_photographs_are_resized_as_pillow_does() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    picture = torch.from_numpy(pixels).permute(2, 0, 1)
    source, _ = run(PairTransform(16, None), picture, picture, None)
    theirs = np.array(Image.fromarray(pixels).resize((16, 16), Image.Resampling.BICUBIC))
    ours = ((source.permute(1, 2, 0) + 1) * 127.5).numpy()
    assert np.abs(ours - theirs).max() <= 1.01  # one level of 255, of rounding


@pytest.mark.parametrize("label_maps", ["input", "target", "both", None])
def test_label_maps_get_no_new_colors(label_maps: str | None) -> None:
    labels = torch.randint(0, 2, (3, 40, 40), dtype=torch.uint8) * 255
    transform = PairTransform(load_size=23, crop_size=None, label_maps=label_maps)  # type: ignore[arg-type]
    for side, picture in zip(("input", "target"), run(transform, labels, labels, random()), strict=True):
        kept = set(picture.unique().tolist()) <= {-1.0, 1.0}
        assert kept == (label_maps in (side, "both"))


def test_color_jitter_changes_the_input_alone() -> None:
    picture = torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8)
    plain = run(PairTransform(None, None, flip=False), picture, picture, random())[0]
    seen = [run(PairTransform(None, None, flip=False, color_jitter=0.3), picture, picture, random(s)) for s in range(3)]
    assert all(torch.equal(target, plain) for _, target in seen)
    assert not any(torch.equal(source, plain) for source, _ in seen)
    assert not torch.equal(seen[0][0], seen[1][0])
    gray = torch.randint(0, 256, (1, 8, 8), dtype=torch.uint8)
    assert run(PairTransform(None, None, color_jitter=0.3), gray, picture, random())[0].shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"load_size": 16, "crop_size": 17}, "crop_size 17 must not be larger than load_size 16"),
        ({"load_size": (32, 16), "crop_size": (16, 17)}, "must not be larger"),
        ({"color_jitter": 1.0}, r"color_jitter must be in \[0, 1\); got 1.0"),
        ({"crop_size": 0, "load_size": None}, "crop_size must be at least 1; got 0"),
    ],
)
def test_bad_options_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PairTransform(**options)  # type: ignore[arg-type]


def test_a_picture_smaller_than_the_crop_is_refused() -> None:
    with pytest.raises(ValueError, match=r"4 x 9 pixels \(height x width\), smaller than crop_size 8 x 8"):
        run(PairTransform(None, 8), numbered(4, 9), numbered(4, 9), random())
