"""What ``multitask/data/rooms.parquet`` promises: sizes, units, and that its pictures agree with each other."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from multitask.data import ROOM_CLASSES

FOLDER = Path(__file__).parents[3] / "multitask" / "data"
ROOMS = {"train": 400, "test": 100}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return parquet.read_table(FOLDER / "rooms.parquet").to_pylist()


@pytest.fixture(scope="module")
def some(rows: list[Row]) -> list[Row]:
    """Every tenth room, with its pictures decoded."""
    return [row | {name: decode(row[name]) for name in ("image", "label", "depth", "normal")} for row in rows[::10]]


def decode(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)))


def normals_of(row: Row) -> np.ndarray:
    """x to the right, y up, z towards the viewer."""
    return (row["normal"].astype(float) - 128) / 127


def rays_of(row: Row) -> np.ndarray:
    """Give the direction in which each pixel looks, of depth 1."""
    height, width = row["depth"].shape
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([(x - width / 2) / row["focal"], (height / 2 - y) / row["focal"], -np.ones_like(x)], -1)


def test_four_of_five_rooms_are_for_training(rows: list[Row]) -> None:
    splits = [row["split"] for row in rows]
    assert splits == ["train"] * ROOMS["train"] + ["test"] * ROOMS["test"]
    assert len({row["scene"] for row in rows}) == len(rows)


def test_the_file_says_what_its_classes_are() -> None:
    notes = parquet.read_schema(FOLDER / "rooms.parquet").metadata
    assert notes[b"classes"].decode().split() == list(ROOM_CLASSES)


def test_the_data_stay_small_enough_for_a_repository() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir() if file.is_file()) < 12_000_000


def test_pictures_have_their_shapes_and_types(some: list[Row]) -> None:
    for row in some:
        assert row["image"].shape == row["normal"].shape == (96, 128, 3)
        assert row["depth"].shape == row["label"].shape == (96, 128)
        assert row["image"].dtype == row["normal"].dtype == row["label"].dtype == np.uint8
        assert row["depth"].dtype == np.uint16


def test_pictures_are_neither_dark_nor_white(some: list[Row]) -> None:
    for row in some:
        assert 40 < np.median(row["image"]) < 215, row["scene"]


def test_depth_is_a_room_s_in_millimeters(some: list[Row]) -> None:
    for row in some:
        assert row["depth"].min() > 200, row["scene"]
        assert row["depth"].max() < 9000, row["scene"]


def test_every_pixel_has_a_class_and_every_class_pixels_in_both_splits(rows: list[Row]) -> None:
    for split in ROOMS:
        seen = set().union(*(np.unique(decode(row["label"])).tolist() for row in rows if row["split"] == split))
        assert seen == set(range(13))


def test_normals_have_unit_length_and_face_the_camera(some: list[Row]) -> None:
    for row in some:
        normals = normals_of(row)
        assert np.abs(np.linalg.norm(normals, axis=-1) - 1).max() < 0.01
        assert ((normals * rays_of(row)).sum(-1) <= 0.01).all(), row["scene"]


def test_the_floor_s_normals_are_one_normal_and_point_up(some: list[Row]) -> None:
    for row in some:
        floor = normals_of(row)[row["label"] == ROOM_CLASSES.index("floor")]
        assert np.ptp(floor, axis=0).max() < 0.01
        assert floor[0, 1] > 0.85  # the camera looks down 20 degrees at most


def test_depth_falls_as_the_normals_say(some: list[Row]) -> None:
    """Between two pixels in the middle of a plane, the step is at a right angle to the normal."""
    for row in some:
        points = rays_of(row) * row["depth"][..., None] / 1000
        normals, label = normals_of(row), row["label"]
        for axis in (0, 1):
            step = np.roll(points, -2, axis) - points
            step /= np.linalg.norm(step, axis=-1, keepdims=True)
            plane = np.isin(label, [ROOM_CLASSES.index(name) for name in ("floor", "wall", "ceiling")])
            for shift in (-1, -2):
                plane &= (np.roll(label, shift, axis) == label) & np.isclose(
                    np.roll(normals, shift, axis), normals
                ).all(-1)
            plane[tuple(slice(-2, None) if a == axis else slice(None) for a in (0, 1))] = False  # rolled round
            off = np.degrees(np.arcsin(np.abs((step * normals).sum(-1)[plane]).clip(0, 1)))
            assert np.median(off) < 3, row["scene"]
            assert np.quantile(off, 0.9) < 10, row["scene"]


def test_boxes_lie_in_the_picture_and_hold_their_class(some: list[Row]) -> None:
    for row in some:
        assert len(row["boxes"]) == len(row["classes"]) == len(row["models"]) >= 2
        for (x1, y1, x2, y2), kind in zip(row["boxes"], row["classes"], strict=True):
            assert 0 <= x1 < x2 <= 128
            assert 0 <= y1 < y2 <= 96
            inside = row["label"][y1:y2, x1:x2] == kind
            assert inside.sum() >= 20
            for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
                assert edge.any(), (row["scene"], ROOM_CLASSES[kind])  # a tight box has its thing at all four sides


def test_no_furniture_of_the_test_rooms_is_in_training(rows: list[Row]) -> None:
    train, test = ({name for row in rows if row["split"] == split for name in row["models"]} for split in ROOMS)
    assert train & test == {"procedural"}  # shelves, books, windows, lamps and paintings


def test_the_authors_of_all_furniture_are_named(rows: list[Row]) -> None:
    text = (FOLDER / "ROOMS-LICENSE.md").read_text(encoding="utf-8")
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    authors = {row[0]: row[3] for row in table[2:]}
    licenses = {row[4] for row in table[2:]}
    seen = {name for row in rows for name in row["models"]} - {"procedural"}
    assert seen == set(authors)
    assert all(authors.values())
    assert licenses <= {"CC0 1.0", "CC BY 3.0", "CC BY 3.0 US"}
