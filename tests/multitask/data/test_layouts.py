"""A configuration names a layout by its class and gives its options; the data module gives the split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from jsonargparse import ArgumentParser
from PIL import Image

from multitask.data import Folders, Rooms, Scenes


class Data:
    def __init__(self, layout: Callable[[str], Scenes] = Rooms) -> None:
        self.layout = layout


def made(layout: Any) -> Callable[[str], Scenes]:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Data, "data")
    configuration = parser.parse_string(yaml.safe_dump({"data": {"layout": layout}}))
    data: Data = parser.instantiate(configuration).data
    return data.layout


def test_the_rooms_need_no_options() -> None:
    for layout in "multitask.data.Rooms", {"class_path": "multitask.data.Rooms"}:
        scenes = made(layout)("val")
        assert isinstance(scenes, Rooms)
        assert len(scenes) == 40


def test_options_come_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "held_out" / "image").mkdir(parents=True)
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / "held_out" / "image" / "1.png")
    options = {"root": str(tmp_path), "depth_unit": 0.01}
    scenes = made({"class_path": "multitask.data.Folders", "init_args": options})("held_out")
    assert isinstance(scenes, Folders)
    assert scenes.depth_unit == 0.01
    (tmp_path / "val" / "image").mkdir(parents=True)
    np.save(tmp_path / "val" / "image" / "0.npy", np.zeros((4, 6, 3)))
    options = {"root": str(tmp_path), "inverse_depth": True}
    assert len(made({"class_path": "multitask.data.MTAN", "init_args": options})("val")) == 1


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"class_path": "multitask.data.Romes"}, "module 'multitask.data' has no attribute 'Romes'"),
        ({"class_path": "multitask.data.MTAN"}, "arguments are required: root"),
        ({"class_path": "multitask.data.Rooms", "init_args": {"root": "x"}}, "Option 'root' is not accepted"),
    ],
)
def test_bad_layouts_are_refused_by_name(layout: Any, message: str) -> None:
    with pytest.raises(Exception, match=message):
        made(layout)
