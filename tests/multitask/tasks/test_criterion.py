"""Tasks take their loss: its numbers, what it is like, and how it is built again."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import losses
from losses import (
    BerHuLoss,
    BinaryFocalLoss,
    CosineLoss,
    CrossEntropyDiceLoss,
    CrossEntropyLoss,
    FocalLoss,
    GeneralizedDiceLoss,
    GradientMatchingLoss,
    L1Loss,
    LovaszLoss,
    SILogLoss,
    SumLoss,
)
from losses.convention import Loss
from multitask import Classification, Depth, Detection, Normals, Segmentation, Task
from multitask.tasks.task import build_task

DEPTH_TERMS = {"l1": L1Loss(), "edges": GradientMatchingLoss(scales=2)}


@pytest.mark.parametrize(
    ("loss", "function"),
    [
        (FocalLoss(gamma=1.0), lambda x, y: losses.focal_loss(x, y, gamma=1.0, ignore_index=255)),
        (
            CrossEntropyLoss(label_smoothing=0.2),
            lambda x, y: losses.cross_entropy_loss(x, y, label_smoothing=0.2, ignore_index=255),
        ),
        (CrossEntropyDiceLoss(), lambda x, y: losses.cross_entropy_dice_loss(x, y, ignore_index=255)),
        (LovaszLoss(), lambda x, y: losses.lovasz_loss(x, y, ignore_index=255)),
        (GeneralizedDiceLoss(), lambda x, y: losses.generalized_dice_loss(x, y, ignore_index=255)),
        (
            SumLoss({"ce": CrossEntropyLoss(), "lovasz": LovaszLoss()}, weights={"lovasz": 0.5}),
            lambda x, y: (
                losses.cross_entropy_loss(x, y, ignore_index=255) + 0.5 * losses.lovasz_loss(x, y, ignore_index=255)
            ),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_segmentation_by_other_losses_that_ignore_what_the_task_ignores(
    loss: Loss, function: Callable[..., Any]
) -> None:
    task, prediction, target = Segmentation(3, loss=loss), torch.randn(2, 3, 4, 5), torch.randint(3, (2, 4, 5))
    target[:, 0] = 255
    assert_close(task.loss(prediction, target), function(prediction, target))
    assert task.likelihood == "categorical"


@pytest.mark.parametrize(
    ("loss", "likelihood", "function"),
    [
        (BerHuLoss(), "laplace", losses.berhu_loss),
        (SILogLoss(), "gaussian", losses.silog_loss),
        (
            SumLoss(DEPTH_TERMS),
            "laplace",
            lambda x, y, mask: (
                losses.l1_loss(x, y, mask=mask) + losses.gradient_matching_loss(x, y, mask=mask, scales=2)
            ),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_depth_by_other_losses_over_what_is_known(loss: Loss, likelihood: str, function: Callable[..., Any]) -> None:
    task, prediction, target = Depth(loss=loss), torch.rand(2, 1, 4, 5) + 1, torch.rand(2, 1, 4, 5) + 1
    target[:, :, 0] = 0.0
    assert_close(task.loss(prediction, target), function(prediction, target, mask=target > 0))
    assert task.likelihood == likelihood


def test_normals_by_l1_at_length_1() -> None:
    task, target = Normals(loss=L1Loss()), torch.zeros(1, 3, 1, 2)
    target[0, 0, 0, 0] = 1.0  # the other is unknown
    prediction = torch.tensor([0.0, 5.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 1, 2)
    assert_close(task.loss(prediction, target), torch.tensor(2 / 3))  # of 1, 1 and 0
    assert (task.likelihood, Normals().likelihood) == ("laplace", "gaussian")


def test_detection_by_another_focal_loss() -> None:
    """With nothing to find it is the focal loss of the classes alone, over one, as there is no place with a box."""
    task = Detection(2, loss=BinaryFocalLoss(gamma=0.0, alpha=None))
    prediction = task.build_head(4).eval()(torch.randn(1, 4, 3, 3), (12, 12))
    nothing = [{"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.int64)}]
    expected = torch.nn.functional.softplus(prediction.logits).sum()
    assert_close(task.loss(prediction, nothing), expected)


TASKS: list[Callable[[], Task]] = [
    lambda: Segmentation(
        3, loss=SumLoss({"ce": CrossEntropyLoss(label_smoothing=0.1), "focal": FocalLoss()}), class_weights=[1, 2, 3]
    ),
    lambda: Segmentation(3, loss=CrossEntropyLoss(weight=[1.0, 2.0, 3.0])),
    lambda: Classification(3, loss=FocalLoss(gamma=1.5), class_weights="balanced"),
    lambda: Depth(loss=SumLoss(DEPTH_TERMS, weights={"edges": 0.5})),
    lambda: Normals(loss=CosineLoss()),
    lambda: Detection(3, loss=BinaryFocalLoss(gamma=1.0)),
    lambda: Depth(),
]


@pytest.mark.parametrize("make", TASKS)
def test_a_recipe_is_plain_and_builds_the_same_loss(make: Callable[[], Task]) -> None:
    task = make()
    recipe = task.recipe()
    assert_plain(recipe)
    again = build_task(recipe)
    assert str(again) == str(task)
    assert again.recipe() == recipe


def assert_plain(value: Any) -> None:
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            assert_plain(each)
    else:
        assert value is None or isinstance(value, str | int | float | bool)


def test_nothing_but_losses_is_built_inside_a_recipe() -> None:
    recipe = Depth().recipe()
    recipe["init_args"]["loss"] = {"class_path": "torch.nn.L1Loss"}
    with pytest.raises(ValueError, match=r"torch.nn.L1Loss is not a subclass of Loss"):
        build_task(recipe)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Segmentation(3, loss=L1Loss()), "CrossEntropyLoss or DiceLoss or alike, .* ignore_index; got L1Loss"),
        (lambda: Segmentation(3, loss=torch.nn.CrossEntropyLoss()), "of the package losses, such as .*; got CrossEntr"),
        (
            lambda: Segmentation(3, loss=CrossEntropyLoss(ignore_index=0)),
            "ignore_index is the task's, 255; got 0 in its loss: leave it out there",
        ),
        (lambda: Segmentation(3, loss=FocalLoss(reduction="none")), "must have the reduction mean or sum, not none"),
        (lambda: Depth(loss=FocalLoss()), "must be L1Loss or SILogLoss or alike, or a SumLoss of them; got FocalLoss"),
        (lambda: Depth(loss=SumLoss({"a": L1Loss(), "b": CosineLoss()})), "or a SumLoss of them; got CosineLoss"),
        (lambda: Normals(loss=SumLoss({"a": L1Loss(), "b": CosineLoss()})), "CosineLoss or L1Loss.*; got CosineLoss"),
        (lambda: Detection(3, loss=FocalLoss()), "loss must be BinaryFocalLoss or alike.*; got FocalLoss"),
        (lambda: Segmentation(3, class_weights=[1.0]), "class_weights must have one of each of the 3 classes; got 1"),
        (
            lambda: Segmentation(3, loss=LovaszLoss(), class_weights="balanced"),
            "class_weights need a loss that takes weights of classes and has none yet; got LovaszLoss",
        ),
        (
            lambda: Segmentation(3, loss=CrossEntropyLoss(weight=[1, 2, 3]), class_weights="balanced"),
            "class_weights need a loss that takes weights of classes and has none yet; got CrossEntropyLoss",
        ),
    ],
)
def test_losses_that_do_not_fit_are_refused(make: Callable[[], Task], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("ignore_index", [0, 2])
def test_what_layouts_call_unknown_is_ignored_too(ignore_index: int) -> None:
    """Whatever class a task ignores: files without a label, padding, and scenes without labels hold 255."""
    task, plain = Segmentation(3, ignore_index=ignore_index), Segmentation(3)
    prediction, target = torch.randn(2, 3, 4, 5), torch.randint(3, (2, 4, 5))
    target[:, 0] = 255
    known = target.where(target != ignore_index, 255)
    assert_close(task.loss(prediction, target), plain.loss(prediction, known))
    task.check(target, (4, 5))
    assert_close(of(task, prediction, target), of(plain, prediction, known))
    assert torch.equal(task.count(target)["classes"], plain.count(known)["classes"])
    with pytest.raises(ValueError, match=r"target must hold classes from 0 to 2, or \d to ignore; got 7"):
        task.check(torch.tensor([[[7]]]), (1, 1))


def of(task: Task, prediction: Tensor, target: Tensor) -> Tensor:
    metrics = task.build_metrics()
    task.update(metrics, task.decode(prediction), target)
    return metrics.compute()["pixel_accuracy"]


def test_with_256_classes_255_is_one_of_them() -> None:
    task = Segmentation(256, ignore_index=0)
    assert task.count(torch.tensor([[[255, 0]]]))["classes"].nonzero().tolist() == [[255]]
