from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close
from torchvision import tv_tensors

from multitask.data import DataError, DepthMap, InverseDepthMap, NormalMap, RandomScaleCropFlip, Scene
from multitask.data.scenes import check_scene
from multitask.data.transforms import resize_scene

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
        "name": "a room",
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
    assert_close(moved["depth"][0] * scale, labels + 1)  # nearest neighbors: exactly the same places
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


def drawn(seed: int, scale: float) -> tuple[int, int]:
    """What the transform draws first: one of one scale, then the top and the left of the part."""
    source = generator(seed)
    torch.randint(1, (), generator=source)
    spare = (HEIGHT - round(HEIGHT / scale) + 1, WIDTH - round(WIDTH / scale) + 1)
    return int(torch.randint(spare[0], (), generator=source)), int(torch.randint(spare[1], (), generator=source))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
@pytest.mark.parametrize("mirror", [0, 1])
def test_boxes_are_exact_and_slivers_are_dropped_with_their_classes(mirror: int, dtype: torch.dtype) -> None:
    """A box stays if a quarter of its area is in the part, two thirds of each side, magnified 1.5 times."""
    boxes = torch.tensor([[0, 0, 8, 4], [3, 1, 4, 11], [15, 5, 24, 12], [0, 0, 24, 12]], dtype=dtype)
    whole = scene(
        boxes=tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(HEIGHT, WIDTH)),
        boxes_classes=torch.arange(4),
    )
    counts = set()
    for seed in range(30):
        top, left = drawn(seed, 1.5)
        expected = []
        for kind, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
            inside = (max(x1 - left, 0), max(y1 - top, 0), min(x2 - left, 16), min(y2 - top, 8))
            width, height = max(inside[2] - inside[0], 0), max(inside[3] - inside[1], 0)
            if width * height / ((x2 - x1) * (y2 - y1)) >= 0.25:
                a, b, c, d = (1.5 * side for side in inside)
                expected.append((kind, [WIDTH - c, b, WIDTH - a, d] if mirror else [a, b, c, d]))
        moved = RandomScaleCropFlip(scales=(1.5,), flip=mirror)(whole, generator(seed))
        assert moved["boxes_classes"].tolist() == [kind for kind, _ in expected]
        assert_close(moved["boxes"].as_subclass(torch.Tensor), torch.tensor([box for _, box in expected]).view(-1, 4))
        counts.add(len(expected))
    assert counts >= {2, 3, 4}


def test_a_scene_without_boxes_keeps_none() -> None:
    none = tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=(HEIGHT, WIDTH))
    empty = scene(boxes=none, boxes_classes=torch.zeros(0, dtype=torch.int64))
    assert RandomScaleCropFlip(scales=(1.5,))(empty, generator(0))["boxes"].shape == (0, 4)


def test_classes_and_depths_are_never_mixed() -> None:
    """Mixed, 0 and 200 would give classes that are not there, and depths between an edge's two sides."""
    far = torch.arange(WIDTH).expand(HEIGHT, WIDTH) % 2 * 200
    flat = scene(labels=tv_tensors.Mask(far), depth=DepthMap(far.float().unsqueeze(0) + 2))
    for seed in range(5):
        moved = RandomScaleCropFlip(scales=(1.25,))(flat, generator(seed))
        assert set(moved["labels"].unique().tolist()) == {0, 200}
        assert_close((moved["depth"] * 1.25).unique(), torch.tensor([2.0, 202.0]))


def test_the_generator_alone_decides() -> None:
    transform = RandomScaleCropFlip()
    for seed in range(3):
        one, other = (transform(scene(), generator(seed)) for _ in range(2))
        assert all(torch.equal(one[name], other[name]) for name in one.keys() - {"name"})
    state = torch.get_rng_state()
    transform(scene(), generator(0))
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_changes_without_scales_and_flips() -> None:
    before = scene()
    after = RandomScaleCropFlip(scales=(1.0,), flip=0)(scene(), generator(0))
    assert all(torch.equal(before[name], after[name]) for name in before.keys() - {"name"})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": tv_tensors.Mask(torch.zeros(3, 4))}, "here: labels is 3 x 4 pixels and the image 12 x 24"),
        ({"depth": DepthMap(torch.full((1, HEIGHT, WIDTH), torch.nan))}, "here: depth has no value above 0"),
        (
            {
                "boxes": tv_tensors.BoundingBoxes(
                    [[2, 1, 6, 5], [5, 5, 2, 6]], format="XYXY", canvas_size=(HEIGHT, WIDTH)
                )
            },
            r"here: boxes must have 0 <= x1 < x2 <= 24 and 0 <= y1 < y2 <= 12; got 5, 5, 2, 6",
        ),
        (
            {
                "boxes": tv_tensors.BoundingBoxes(
                    [[2, 1, 6, 5], [5, 5, 7, 13]], format="XYXY", canvas_size=(HEIGHT, WIDTH)
                )
            },
            r"here: boxes must have .*; got 5, 5, 7, 13",
        ),
        (
            {"boxes": tv_tensors.BoundingBoxes([[torch.nan] * 4] * 2, format="XYXY", canvas_size=(HEIGHT, WIDTH))},
            r"here: boxes must have .*; got nan, nan, nan, nan",
        ),
        ({"boxes_classes": torch.tensor([7])}, "here: boxes must be XYXY, with one of boxes_classes for each"),
        (
            {"boxes": tv_tensors.BoundingBoxes([[1, 1, 2, 2]] * 2, format="XYWH", canvas_size=(HEIGHT, WIDTH))},
            "here: boxes must be XYXY",
        ),
        ({"image": None}, "here: image must be a floating point tensor 3 x H x W; got none"),
        ({"image": torch.zeros(1, 12, 24)}, r"here: image must be .*; got torch.float32 of 1 x 12 x 24"),
        ({"image": torch.zeros(3, 12, 24, dtype=torch.uint8)}, r"here: image must be .*; got torch.uint8 of 3 x 12"),
    ],
)
def test_scenes_that_would_spoil_a_training_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_scene(scene(**changed), "here")


@pytest.mark.parametrize(("options", "message"), [({"scales": [0.5]}, "scales must"), ({"flip": 2}, "flip must")])
def test_bad_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomScaleCropFlip(**options)


SIZES = st.sampled_from([(120, 160), (240, 320), (480, 640), (375, 500)])


@settings(deadline=None)
@given(SIZES | st.tuples(st.integers(16, 640), st.integers(16, 640)), st.integers(0, 2**31), st.data())
def test_boxes_stay_inside_the_image(size: tuple[int, int], seed: int, data: st.DataObject) -> None:
    """Also those at the border, at every size: a task refuses boxes that reach 1e-5 pixels beyond it."""
    height, width = size
    x1, y1 = data.draw(st.integers(0, width - 2)), data.draw(st.integers(0, height - 2))
    boxes = torch.tensor([[x1, y1, x1 + 1, y1 + 1], [0, 0, width, height], [x1, y1, width, height]]).float()
    scene = {
        "image": tv_tensors.Image(torch.zeros(3, height, width)),
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size),
        "boxes_classes": torch.zeros(3, dtype=torch.int64),
    }
    check_scene(RandomScaleCropFlip()(scene, generator(seed)), "moved")


def test_a_resized_scene_is_moved_as_a_whole() -> None:
    """At twice the height and half the width: of each two columns the maps take one, and the boxes follow."""
    before = scene()
    after = resize_scene(before, (2 * HEIGHT, WIDTH // 2))
    columns = torch.arange(1, WIDTH, 2)  # the pixel that the middle of a new one lies on
    for name in "labels", "depth", "disparity", "normals":
        assert type(after[name]) is type(before[name])
        assert torch.equal(after[name][..., ::2, :].as_subclass(Tensor), before[name][..., columns].as_subclass(Tensor))
        assert torch.equal(after[name][..., ::2, :], after[name][..., 1::2, :])
    middle = (torch.arange(0, WIDTH, 2) + 0.5) / WIDTH  # of two columns
    assert_close(after["image"][0, 3, 1:-1].as_subclass(Tensor), middle[1:-1])
    assert after["boxes"].tolist() == [[1, 2, 3, 10], [10, 16, 12, 24]]
    check_scene(after, "here")
    assert torch.equal(after["boxes_classes"], before["boxes_classes"])


@given(st.integers(1, 50), st.integers(1, 50))
@settings(max_examples=25, deadline=None)
def test_a_scene_of_any_size_is_still_one(height: int, width: int) -> None:
    resized = resize_scene(scene(), (height, width))
    assert resized["image"].shape == (3, height, width)
    check_scene(resized, "here")
