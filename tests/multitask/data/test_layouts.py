"""A configuration names a layout by its class and gives its options; the data module adds root and split."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from jsonargparse import ArgumentParser
from PIL import Image

from multitask.data import DataError, Folders, Rooms, SceneData


def built(layout: Any, root: Path | None = None) -> SceneData:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(SceneData, "data")
    options = {"layout": layout, "root": None if root is None else str(root), "val_split": "held_out"}
    configuration = parser.parse_string(yaml.safe_dump({"data": options}))
    data: SceneData = parser.instantiate(configuration).data
    return data


def test_the_rooms_need_no_options() -> None:
    for layout in "multitask.data.Rooms", {"class_path": "multitask.data.Rooms"}:
        rooms = built(layout).layout("train")
        assert isinstance(rooms, Rooms)
        assert len(rooms) == 360


def test_options_come_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "held_out" / "image").mkdir(parents=True)
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / "held_out" / "image" / "1.png")
    layout = {"class_path": "multitask.data.Folders", "init_args": {"depth_unit": 0.01}}
    scenes = built(layout, tmp_path).layout("val")
    assert isinstance(scenes, Folders)
    assert scenes.depth_unit == 0.01
    np.save(tmp_path / "held_out" / "image" / "0.npy", np.zeros((4, 6, 3)))
    layout = {"class_path": "multitask.data.MTAN", "init_args": {"inverse_depth": True}}
    assert len(built(layout, tmp_path).layout("val")) == 1


def test_a_root_that_is_missing_or_not_wanted_is_said(tmp_path: Path) -> None:
    for layout in "Folders", "MTAN":
        with pytest.raises(DataError, match="this layout needs the data set's folder: set the data's root"):
            built(f"multitask.data.{layout}").layout("val")
    with pytest.raises(DataError, match="the rooms come with this package; leave the data's root out"):
        built("multitask.data.Rooms", tmp_path).layout("train")


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"class_path": "multitask.data.Romes"}, "module 'multitask.data' has no attribute 'Romes'"),
        ({"class_path": "multitask.data.Rooms", "init_args": {"size": 3}}, "Option 'size' is not accepted"),
    ],
)
def test_bad_layouts_are_refused_by_name(layout: Any, message: str) -> None:
    with pytest.raises(Exception, match=message):
        built(layout)
