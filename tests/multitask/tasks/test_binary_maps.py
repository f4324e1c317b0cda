"""Yes or no for every pixel: the loss over what is known, metrics by hand, and files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

import losses
from losses import BCEWithLogitsLoss, BinaryFocalLoss, CrossEntropyLoss, DiceLoss, L1Loss, SumLoss
from losses.convention import Loss
from multitask import BinaryMaps
from multitask.data.files import read_labels
from multitask.tasks.task import build_task
from multitask.tasks.writing import Place

LOGITS = torch.tensor([[[[3.0, -1.0, 2.0, -2.0, 9.0]]]])
TARGET = torch.tensor([[[7, 7, 0, 4, 255]]])  # 7 and 4 are yes: found, missed, false, missed, unknown
TRUTH = torch.tensor([[[[1.0, 1.0, 0.0, 1.0]]]])


@pytest.mark.parametrize(
    ("loss", "function"),
    [
        (None, losses.cross_entropy_dice_loss),
        (DiceLoss(smooth=0.0), lambda x, y: losses.dice_loss(x, y, smooth=0.0)),
        (BCEWithLogitsLoss(pos_weight=3.0), lambda x, y: losses.bce_with_logits_loss(x, y, pos_weight=3.0)),
        (BinaryFocalLoss(), losses.binary_focal_loss),
        (
            SumLoss({"focal": BinaryFocalLoss(), "bce": BCEWithLogitsLoss()}),
            lambda x, y: losses.binary_focal_loss(x, y) + losses.bce_with_logits_loss(x, y),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_loss_is_over_what_is_known(loss: Loss | None, function: Callable[..., torch.Tensor]) -> None:
    task = BinaryMaps(positive=[7, 4], loss=loss)
    assert_close(task.loss(LOGITS, TARGET), function(LOGITS[..., :4], TRUTH))
    assert task.likelihood == "categorical"
    assert str(build_task(task.recipe())) == str(task)


def test_values_metrics_and_counts() -> None:
    task = BinaryMaps(positive=[7, 4])
    values = task.decode(LOGITS)
    assert values.tolist() == [[[7, 0, 7, 0, 7]]]
    metrics = task.build_metrics()
    task.update(metrics, values, TARGET)
    found = metrics.compute()
    assert found["iou"] == 1 / 4
    assert found["f1"] == pytest.approx(2 / 5)
    totals = task.count(TARGET)
    assert (int(totals["pixels"]), int(totals["yes"])) == (4, 3)
    assert task.start_from(totals, torch.nn.Identity()) == "yes 75.0%"
    assert task.start_from({}, torch.nn.Identity()) == "nothing known"
    assert task.baseline([]).item() == 7


def test_no_is_the_smallest_number_that_is_not_yes() -> None:
    assert BinaryMaps(positive=[0, 1]).decode(LOGITS).tolist() == [[[0, 2, 0, 2, 0]]]
    assert BinaryMaps().decode(LOGITS).tolist() == [[[1, 0, 1, 0, 1]]]


def test_a_map_is_drawn_and_written_as_it_is_read(tmp_path: Path) -> None:
    task = BinaryMaps(positive=[7, 4])
    drawn = task.draw(TARGET, torch.ones(1, 3, 1, 5))
    assert drawn[0, 1, 0].tolist() == [1.0, 1.0, 0.25, 1.0, 0.0]
    task.write(task.decode(LOGITS)[0], Place(tmp_path, "labels"), "a")
    file = tmp_path / "labels" / "a.png"
    assert read_labels(file, "a").tolist() == [[7, 0, 7, 0, 7]]
    with Image.open(file) as picture:
        assert np.asarray(picture.convert("L")).tolist() == [[255, 0, 255, 0, 255]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BinaryMaps(positive=[]), r"positive must be one or more numbers from 0 to 254; got \[\]"),
        (lambda: BinaryMaps(positive=[255]), r"positive must be .*; got \[255\]"),
        (lambda: BinaryMaps(loss=L1Loss()), "CrossEntropyDiceLoss or BCEWithLogitsLoss or alike.*; got L1Loss"),
        (lambda: BinaryMaps(loss=CrossEntropyLoss()), "; got CrossEntropyLoss"),
        (lambda: BinaryMaps(loss=SumLoss({"a": BCEWithLogitsLoss(), "b": DiceLoss()})), "got DiceLoss"),
        (lambda: BinaryMaps(loss=SumLoss({"a": DiceLoss(), "b": BCEWithLogitsLoss()})), "got BCEWithLogitsLoss"),
        (lambda: BinaryMaps(loss=DiceLoss(ignore_index=0)), "ignore_index is the task's, 255; got 0"),
    ],
)
def test_what_is_refused(make: Callable[[], BinaryMaps], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
