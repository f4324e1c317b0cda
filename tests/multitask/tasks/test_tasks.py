"""Metrics by hand, losses over what is known, and pictures of the right shape."""

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from inference.pictures import palette
from multitask import Classification, Depth, Normals, Segmentation, Task
from multitask.data.files import read_labels
from multitask.tasks.writing import Place


def metrics_of(task: Task, *batches: tuple[Tensor, Tensor]) -> dict[str, float]:
    metrics = task.build_metrics()
    for prediction, target in batches:
        task.update(metrics, task.decode(prediction), target)
    return {name: value.item() for name, value in metrics.compute().items()}


def logits(classes: list[int], count: int) -> Tensor:
    return 10 * torch.nn.functional.one_hot(torch.tensor(classes), count).T.float().view(1, count, 1, -1)


def test_segmentation() -> None:
    """Four labeled pixels: class 0 is right once and wrong once, class 1 right twice and missed never; 2 is absent."""
    task = Segmentation(3)
    target = torch.tensor([[[0, 2, 1, 1, 255]]])
    result = metrics_of(task, (logits([0, 0, 1, 1, 2], 3), target))
    assert result["pixel_accuracy"] == pytest.approx(3 / 4)
    assert result["miou"] == pytest.approx((1 / 2 + 2 / 2 + 0 / 1) / 3)
    prediction = torch.randn(1, 3, 1, 5)
    expected = torch.nn.functional.cross_entropy(prediction[..., :4], target[..., :4])
    assert_close(task.loss(prediction, target), expected)


def test_depth() -> None:
    task = Depth()
    prediction, target = torch.tensor([[[[1.0, 3.0, 5.0, 9.0]]]]), torch.tensor([[[[2.0, 3.0, 4.0, 0.0]]]])
    result = metrics_of(task, (prediction, target))
    assert result["abs"] == pytest.approx(2 / 3)
    assert result["rel"] == pytest.approx((0.5 + 0 + 0.25) / 3)
    assert result["rmse"] == pytest.approx(math.sqrt(2 / 3))
    assert result["delta_1.25"] == pytest.approx(1 / 3)  # 5 / 4 is not below 1.25
    assert task.loss(prediction, target).item() == pytest.approx(2 / 3)
    unknown = torch.tensor([[[[2.0, 3.0, 4.0, float("nan")]]]])
    assert metrics_of(task, (prediction, unknown)) == result
    assert task.loss(prediction, unknown).item() == pytest.approx(2 / 3)


def test_depth_over_several_batches_is_over_all_pixels() -> None:
    one_wrong = torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 3.0)
    three_right = torch.ones(1, 1, 1, 3), torch.ones(1, 1, 1, 3)
    assert metrics_of(Depth(), one_wrong, three_right)["rmse"] == pytest.approx(math.sqrt(2**2 / 4))


def test_normals() -> None:
    """Angles of 0, 10, 20, 25 and 90 degrees, and one unknown."""
    angles = torch.deg2rad(torch.tensor([0.0, 10.0, 20.0, 25.0, 90.0, 45.0]))
    prediction = torch.stack([angles.cos(), angles.sin(), torch.zeros(6)]).view(1, 3, 1, 6)
    target = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).repeat(1, 1, 1, 6)
    target[..., 5] = 0
    task = Normals()
    result = metrics_of(task, (5 * prediction, target))
    assert result["mean"] == pytest.approx(145 / 5, abs=1e-3)
    assert result["median"] == pytest.approx(20, abs=0.05)
    shares = [result["within_11.25"], result["within_22.5"], result["within_30"]]
    assert shares == pytest.approx([2 / 5, 3 / 5, 4 / 5])
    assert task.loss(prediction, target).item() == pytest.approx((1 - angles[:5].cos()).mean().item(), rel=1e-5)


def test_classification() -> None:
    task = Classification(3)
    prediction = torch.eye(3)[[0, 1, 2, 0]]
    assert metrics_of(task, (prediction, torch.tensor([0, 1, 1, 255])))["accuracy"] == pytest.approx(2 / 3)
    expected = torch.nn.functional.cross_entropy(prediction[:3], torch.tensor([0, 1, 1]))
    assert_close(task.loss(prediction, torch.tensor([0, 1, 1, 255])), expected)


TASKS = [
    (Segmentation(4), torch.randint(4, (2, 8, 12))),
    (Depth(), torch.rand(2, 1, 8, 12) * 10),
    (Normals(), torch.randn(2, 3, 8, 12)),
    (Classification(4), torch.randint(4, (2,))),
]


@pytest.mark.parametrize(("task", "target"), TASKS, ids=lambda value: type(value).__name__)
def test_predictions_have_the_pictures_size_and_can_be_drawn(task: Task, target: Tensor) -> None:
    prediction = task.build_head(6)(torch.randn(2, 6, 2, 3), (8, 12))
    assert task.loss(prediction, target).isfinite()
    assert prediction.shape[2:] == (() if isinstance(task, Classification) else (8, 12))
    for values in task.decode(prediction.detach()), target:
        drawn = task.draw(values, torch.rand(2, 3, 8, 12))
        assert drawn.shape == (2, 3, 8, 12)
        assert drawn.min() >= 0
        assert drawn.max() <= 1


@pytest.mark.parametrize(("task", "target"), TASKS, ids=lambda value: type(value).__name__)
def test_a_gpu_computes_draws_and_measures_what_the_cpu_does(task: Task, target: Tensor, gpu: torch.device) -> None:
    """In a batch on the device, with values of it; the metrics, which are modules, move there."""
    prediction, images = task.build_head(6)(torch.randn(2, 6, 2, 3), (8, 12)).detach(), torch.rand(2, 3, 8, 12)
    found = []
    for place in torch.device("cpu"), gpu:
        given, truth = prediction.to(place).detach().requires_grad_(), target.to(place)
        loss = copy.deepcopy(task).to(place).loss(given, truth)
        loss.backward()
        values, metrics = task.decode(given.detach()), task.build_metrics().to(place)
        task.update(metrics, values, truth)
        drawn = [task.draw(each, images.to(place)) for each in (values, truth)]
        assert {each.device.type for each in (loss, *drawn)} == {place.type}
        found.append([loss.detach(), given.grad, *drawn, *metrics.compute().values()])
    for expected, value in zip(*found, strict=True):
        assert_close(value.cpu(), expected, rtol=1e-4, atol=1e-5)


def test_what_is_unknown_is_drawn_black() -> None:
    images = torch.rand(1, 3, 8, 8)
    assert (Segmentation(4).draw(torch.full((1, 8, 8), 255), images) == 0).all()
    assert (Depth().draw(torch.full((1, 1, 8, 8), torch.nan), images) == 0).all()
    assert (Normals().draw(torch.zeros(1, 3, 8, 8), images) == 0).all()
    assert (Classification(4).draw(torch.tensor([255]), images)[:, :, 7] == 0).all()


def test_near_is_drawn_lighter_than_far() -> None:
    near, far = Depth(farthest=4).draw(torch.tensor([[[[1.0, 4.0]]]]), torch.rand(1, 3, 1, 2)).sum(1).flatten()
    assert near > far


def test_a_class_is_drawn_as_a_band_under_the_picture() -> None:
    images = torch.rand(2, 3, 16, 12)
    drawn = Classification(4).draw(torch.tensor([1, 3]), images)
    assert torch.equal(drawn[:, :, :14], images[:, :, :14])
    assert_close(drawn[:, :, 14:], palette(4)[[1, 3]].view(2, 3, 1, 1).expand(2, 3, 2, 12))


def test_every_class_has_a_color_of_its_own() -> None:
    colors = Segmentation(13).draw(torch.arange(13).view(1, 1, 13), torch.rand(1, 3, 1, 13)).view(3, 13).T
    assert_close(colors, palette(13))
    distances = torch.cdist(colors, colors) + torch.eye(13)
    assert distances.min() > 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Segmentation(1), "classes must be at least 2; got 1"),
        (lambda: Classification(1), "classes must be at least 2; got 1"),
        (lambda: Classification(3, names=["a", "b"]), "names must have one of each of the 3 classes; got 2"),
        (lambda: Depth(farthest=0), "farthest must be above 0; got 0"),
        (lambda: Normals(width=0), "width must be at least 1; got 0"),
    ],
)
def test_bad_options_are_refused_by_name(make: type, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("farthest", "unit"), [(10.0, 0.001), (0.3, 0.00001), (32.7, 0.001), (32.8, 0.01), (1e5, 10.0)]
)
def test_16_bits_reach_beyond_twice_the_farthest_depth(farthest: float, unit: float) -> None:
    assert Depth(farthest=farthest).unit == unit
    assert 65535 * unit >= 2 * farthest


def test_more_classes_than_a_palette_has_are_written_in_16_bits(tmp_path: Path) -> None:
    classes = torch.arange(300).view(20, 15)
    Segmentation(300).write(classes, Place(tmp_path, "labels"), "a")
    assert torch.equal(read_labels(tmp_path / "labels" / "a.png", "a").as_subclass(Tensor), classes)


def test_values_that_are_no_tensor_need_a_way_to_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Normals predicts dict: give it a write\(\) of its own"):
        Task.write(Normals(), {}, Place(tmp_path, "normals"), "a")
