from typing import Any

import pytest
import torch
from torch.testing import assert_close
from torchvision import tv_tensors

from multitask.data import DepthMap, InverseDepthMap, NormalMap, RandomScaleCropFlip, Scene
from multitask.data.scenes import check_scene

HEIGHT, WIDTH = 12, 24


def scene(**changed: Any) -> Scene:
    """Every pixel of every map tells its column, so that they can be compared after a move."""
    column = torch.arange(WIDTH, dtype=torch.float32).expand(HEIGHT, WIDTH)
    normals = torch.stack([column / WIDTH, torch.zeros(HEIGHT, WIDTH), torch.ones(HEIGHT, WIDTH)])
    return {
        "image": tv_tensors.Image((column / WIDTH).expand(3, HEIGHT, WIDTH).clone()),
        "labels": tv_tensors.Mask(column.long()),
        "depth": DepthMap(column.unsqueeze(0) + 1),
        "disparity": InverseDepthMap(column.unsqueeze(0) + 1),
        "normals": NormalMap(normals),
        "boxes": tv_tensors.BoundingBoxes(
            torch.tensor([[2.0, 1.0, 6.0, 5.0], [20.0, 8.0, 24.0, 12.0]]), format="XYXY", canvas_size=(HEIGHT, WIDTH)
        ),
        "boxes_classes": torch.tensor([7, 9]),
        "room": torch.tensor(3),
        **changed,
    }


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", range(12))
def test_everything_moves_together(seed: int) -> None:
    moved = RandomScaleCropFlip(scales=(1.0, 1.5))(scene(), generator(seed))
    shape = (HEIGHT, WIDTH)
    assert moved["image"].shape[-2:] == moved["labels"].shape == moved["depth"].shape[-2:] == shape
    labels = moved["labels"].float()
    scale = ((labels + 1) / moved["depth"][0]).mean().item()
    assert scale == pytest.approx(1) or scale == pytest.approx(1.5)
    assert_close(moved["depth"][0] * scale, labels + 1)  # nearest neighbours: exactly the same places
    assert_close(moved["disparity"][0] / scale, labels + 1)
    mirrored = bool(labels[0, 0] > labels[0, -1])
    assert_close(moved["normals"][0], labels / WIDTH * (-1 if mirrored else 1))
    assert (moved["normals"][2] == 1).all()
    assert (moved["image"][0] * WIDTH - labels).abs().max() < 1.5
    assert moved["room"] == 3
    assert type(moved["depth"]) is DepthMap
    assert type(moved["normals"]) is NormalMap


def test_boxes_stay_on_their_objects() -> None:
    """A box of the columns 2 to 6 has these labels under it, wherever it goes."""
    for seed in range(20):
        moved = RandomScaleCropFlip(scales=(1.0, 1.2))(scene(), generator(seed))
        assert len(moved["boxes"]) == len(moved["boxes_classes"])
        for box, kind in zip(moved["boxes"].round().int().tolist(), moved["boxes_classes"].tolist(), strict=True):
            under = moved["labels"][box[1] : box[3], box[0] : box[2]]
            low, high = {7: (2, 6), 9: (20, 24)}[kind]
            assert ((under >= low - 1) & (under <= high)).float().mean() > 0.9
        check_scene(moved, "moved")


def test_what_is_left_of_no_box_is_dropped_with_its_class() -> None:
    """A third of each side can show one box or none, never both."""
    transform = RandomScaleCropFlip(scales=(3.0,), flip=0)
    kept = {tuple(transform(scene(), generator(seed))["boxes_classes"].tolist()) for seed in range(40)}
    assert kept == {(), (7,), (9,)}


def test_the_generator_alone_decides() -> None:
    transform = RandomScaleCropFlip()
    for seed in range(3):
        one, other = (transform(scene(), generator(seed)) for _ in range(2))
        assert all(torch.equal(one[name], other[name]) for name in one)
    state = torch.get_rng_state()
    transform(scene(), generator(0))
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_changes_without_scales_and_flips() -> None:
    before = scene()
    after = RandomScaleCropFlip(scales=(1.0,), flip=0)(scene(), generator(0))
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": tv_tensors.Mask(torch.zeros(3, 4))}, "here: labels is 3 x 4 pixels and the image 12 x 24"),
        ({"depth": DepthMap(torch.full((1, HEIGHT, WIDTH), torch.nan))}, "here: depth has no value above 0"),
        (
            {"boxes": tv_tensors.BoundingBoxes([[5, 5, 2, 6]], format="XYXY", canvas_size=(HEIGHT, WIDTH))},
            r"here: boxes must have 0 <= x1 < x2 <= 24 and 0 <= y1 < y2 <= 12",
        ),
        (
            {"boxes": tv_tensors.BoundingBoxes([[5, 5, 7, 13]], format="XYXY", canvas_size=(HEIGHT, WIDTH))},
            r"here: boxes must have",
        ),
    ],
)
def test_scenes_that_would_spoil_a_training_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_scene(scene(**changed), "here")


@pytest.mark.parametrize(("options", "message"), [({"scales": [0.5]}, "scales must"), ({"flip": 2}, "flip must")])
def test_bad_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomScaleCropFlip(**options)
