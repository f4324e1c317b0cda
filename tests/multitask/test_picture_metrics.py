"""The metrics of single pictures."""

import math
from typing import Any

import pytest
import torch

from multitask import BinaryMaps, Classification, Depth, Detection, Normals, Segmentation, Task
from multitask.picture_metrics import measure_pictures, picture_metrics

TASKS: dict[str, Task] = {
    "seg": Segmentation(3),
    "depth": Depth(),
    "normals": Normals(),
    "room": Classification(4, target="room"),
    "edges": BinaryMaps("edges", positive=[1]),
    "boxes": Detection(2),
}


def batch_of_two() -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the second picture nothing is known but its image."""
    labels = torch.full((2, 4, 4), 255)
    labels[0, :2], labels[0, 2:] = 0, 1
    edges = torch.where(labels == 255, 255, labels)
    normals = torch.zeros(2, 3, 4, 4)
    normals[0, 2] = 1
    batch = {
        "image": torch.rand(2, 3, 4, 4),
        "labels": labels,
        "depth": torch.stack([torch.full((1, 4, 4), 2.0), torch.zeros(1, 4, 4)]),
        "normals": normals,
        "room": torch.tensor([3, 255]),
        "edges": edges,
        "boxes": [None, None],
    }
    tilted = torch.zeros(2, 3, 4, 4)
    tilted[:, 1] = tilted[:, 2] = 0.5**0.5  # 45 degrees
    none = {"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.int64), "scores": torch.empty(0)}
    values = {
        "seg": torch.zeros(2, 4, 4, dtype=torch.int64),
        "depth": torch.full((2, 1, 4, 4), 3.0),
        "normals": tilted,
        "room": torch.tensor([3, 3]),
        "edges": torch.ones(2, 4, 4, dtype=torch.int64),
        "boxes": [none, none],
    }
    return batch, values


def test_each_picture_by_hand_and_nan_where_nothing_is_known() -> None:
    found = measure_pictures(TASKS, *batch_of_two())
    assert list(found) == list(picture_metrics(TASKS))
    expected = {
        "seg/miou": 0.25,  # half of class 0, nothing of class 1; class 2 is neither true nor predicted
        "seg/pixel_accuracy": 0.5,
        "depth/abs": 1.0,
        "depth/rel": 0.5,
        "depth/rmse": 1.0,
        "depth/delta_1.25": 0.0,
        "normals/mean": 45.0,
        "normals/within_30": 0.0,
        "room/accuracy": 1.0,
        "edges/iou": 0.5,
        "edges/f1": 2 / 3,
    }
    assert {key: found[key][0].item() for key in expected} == pytest.approx(expected, rel=1e-5)
    assert all(values.shape == (2,) and math.isnan(values[1]) for values in found.values())


def test_a_target_that_the_whole_batch_lacks_is_nan() -> None:
    batch, values = batch_of_two()
    del batch["depth"]
    found = measure_pictures(TASKS, batch, values)
    assert found["depth/abs"].isnan().all()
    assert found["seg/miou"][0] == 0.25


def test_average_precision_is_of_many_pictures() -> None:
    assert picture_metrics({"boxes": Detection(2)}) == {}
    assert picture_metrics({"depth": Depth()})["depth/abs"] == "lower"
