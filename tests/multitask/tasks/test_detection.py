"""The loss by hand, what comes back of perfect predictions, and metrics beside torchmetrics' own."""

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils.data import DataLoader
from torchmetrics.detection import MeanAveragePrecision
from torchvision.ops import clip_boxes_to_image

from inference.pictures import palette
from losses import GradNorm
from multitask import Detection, MultiTask, Segmentation, SmallEncoder
from multitask.tasks import detection
from multitask.tasks.fcos import Places, assign, centerness

SIZE = (16, 24)
STEP = torch.tensor([4.0, 4.0])
CENTERS = torch.tensor([[4.0 * x + 2, 4.0 * y + 2] for y in range(4) for x in range(6)])


def truth(boxes: list[list[float]], labels: list[int]) -> dict[str, Tensor]:
    return {"boxes": torch.tensor(boxes).view(-1, 4), "labels": torch.tensor(labels, dtype=torch.long)}


TWO = truth([[1.0, 2.0, 9.0, 14.0], [13.0, 1.0, 16.0, 4.0]], [2, 0])
ONE = truth([[6.0, 3.0, 23.0, 12.0]], [1])
NONE = truth([], [])


def perfect(target: list[dict[str, Tensor]]) -> Places:
    """What FCOS would predict if it knew."""
    logits = torch.full((len(target), len(CENTERS), 3), -10.0)
    boxes = torch.cat([CENTERS - 1, CENTERS + 1], 1).repeat(len(target), 1, 1)
    central = torch.zeros(len(target), len(CENTERS))
    for picture, true in enumerate(target):
        for place, box in enumerate(assign(true["boxes"], CENTERS, STEP).tolist()):
            if box >= 0:
                logits[picture, place, true["labels"][box]] = 10.0
                boxes[picture, place] = true["boxes"][box]
                central[picture, place] = centerness(true["boxes"][box], CENTERS[place]).clamp(0.01, 0.99).logit()
    return Places(logits, boxes, central, CENTERS, STEP, SIZE)


def random_places(pictures: int, dtype: torch.dtype = torch.float32) -> Places:
    sides = 6 * torch.rand(pictures, len(CENTERS), 4, dtype=dtype)
    boxes = torch.cat([CENTERS - sides[..., :2], CENTERS + sides[..., 2:]], -1)
    logits = torch.randn(pictures, len(CENTERS), 3, dtype=dtype)
    return Places(logits, boxes, torch.randn(pictures, len(CENTERS), dtype=dtype), CENTERS.to(dtype), STEP, SIZE)


def measures(task: Detection, prediction: Places, target: list[Any]) -> dict[str, float]:
    metrics = task.build_metrics()
    task.update(metrics, task.decode(prediction), target)
    return {name: value.item() for name, value in metrics.compute().items()}


# --- the loss


def single_place(logit: float, box: list[float], central: float) -> Places:
    """A picture of 4 x 4 pixels with one place, in its middle, and one class."""
    middle = torch.tensor([[2.0, 2.0]])
    return Places(
        torch.tensor([[[logit]]]),
        torch.tensor([[box]]),
        torch.tensor([[central]]),
        middle,
        torch.tensor([4.0, 4.0]),
        (4, 4),
    )


def test_the_loss_of_one_place_by_hand() -> None:
    """Focal loss + GIoU loss + cross-entropy: a box half as high as the true one costs 1/2, the place is central."""
    p, q = 1 / (1 + math.exp(-0.3)), 1 / (1 + math.exp(0.7))
    loss = Detection(1).loss(single_place(0.3, [0.0, 0.0, 4.0, 2.0], -0.7), [truth([[0.0, 0.0, 4.0, 4.0]], [0])])
    assert loss.item() == pytest.approx(-0.25 * (1 - p) ** 2 * math.log(p) + 0.5 - math.log(q), rel=1e-5)


def test_the_centerness_to_learn_is_that_of_the_true_box() -> None:
    """(2, 2) in a box from 1 to 4 has the distances 1 and 2: sqrt(1/2 * 1/2)."""
    target = [truth([[1.0, 1.0, 4.0, 4.0]], [0])]
    losses = [Detection(1).loss(single_place(0.0, [1.0, 1.0, 4.0, 4.0], logit), target).item() for logit in (0.0, 1.0)]
    assert losses[1] - losses[0] == pytest.approx(math.log1p(math.exp(-1)) + 0.5 - math.log(2), abs=1e-6)


def test_an_empty_picture_is_all_background() -> None:
    p = 1 / (1 + math.exp(-0.3))
    loss = Detection(1).loss(single_place(0.3, [0.0, 0.0, 4.0, 2.0], -0.7), [NONE])
    assert loss.item() == pytest.approx(-0.75 * p**2 * math.log(1 - p), rel=1e-5)


def test_the_classes_cost_by_the_number_of_places_with_a_box() -> None:
    """Twice the same picture costs what it costs once; an empty one beside it adds its background by that number."""
    task, one, empty = Detection(3), random_places(1), random_places(1)
    found = (assign(TWO["boxes"], CENTERS, STEP) >= 0).sum().item()

    def beside(*places: Places) -> Places:
        return Places(*(torch.cat(values) for values in zip(*(p[:3] for p in places), strict=True)), *one[3:])

    alone = task.loss(one, [TWO])
    assert_close(task.loss(beside(one, one), [TWO, TWO]), alone)
    assert_close(task.loss(beside(one, empty), [TWO, NONE]), alone + task.loss(empty, [NONE]) / found)


def test_the_perfect_prediction_costs_next_to_nothing() -> None:
    target = [TWO, ONE]
    prediction = perfect(target)
    found = [assign(t["boxes"], CENTERS, STEP) >= 0 for t in target]
    central = prediction.centerness[torch.stack(found)].sigmoid()
    entropy = -(central * central.log() + (1 - central) * (1 - central).log()).mean()
    assert Detection(3).loss(prediction, target).item() == pytest.approx(entropy.item(), abs=0.02)


def test_pictures_whose_boxes_are_unknown_cost_nothing() -> None:
    task, places = Detection(3), random_places(3)
    first = Places(*(values[1:2] for values in places[:3]), *places[3:])
    assert_close(task.loss(places, [None, TWO, None]), task.loss(first, [TWO]))
    logits = places.logits.requires_grad_()
    loss = task.loss(places, [None, None, None])
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()


def test_gradients_are_those_of_finite_differences() -> None:
    task, places = Detection(3), random_places(2, torch.float64)
    inputs = [values.requires_grad_() for values in places[:3]]

    def loss(*values: Tensor) -> Tensor:
        return task.loss(Places(*values, *places[3:]), [TWO, ONE])

    assert torch.autograd.gradcheck(loss, inputs, fast_mode=True)


def test_it_learns_in_float64_and_under_autocast() -> None:
    task = Detection(3, width=4)
    head = task.build_head(5)
    features = torch.randn(2, 5, 4, 6)
    exact = task.loss(head.double()(features.double(), SIZE), [TWO, ONE])
    assert exact.dtype == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        rounded = task.loss(head.float()(features, SIZE), [TWO, ONE])
    assert rounded.dtype == torch.float32
    assert_close(rounded.double(), exact, rtol=0.03, atol=0)
    rounded.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (truth([[0.0, 0.0, 4.0, 4.0]], [3]), r"^labels must hold classes from 0 to 2; got 3$"),
        (truth([[0.0, 0.0, 4.0, 4.0]], [-1]), r"^labels must hold classes from 0 to 2; got -1$"),
        (truth([[0.0, 0.0, 4.0, 4.0]], [0, 1]), r"^boxes must be M x 4 with M labels; got \(1, 4\) and \(2,\)$"),
        (truth([[4.0, 0.0, 4.0, 4.0]], [0]), r"^boxes must have 0 <= x1 < x2 <= 24 and 0 <= y1 < y2 <= 16; got \[4"),
        (truth([[0.0, 0.0, 4.0, 4.0], [0.0, 9.0, 4.0, 8.0]], [0, 0]), r"x1 < x2.*; got \[0.0, 9.0, 4.0, 8.0\]$"),
        (truth([[0.0, 0.0, 24.0, 17.0]], [0]), r"0 <= y1 < y2 <= 16; got \[0.0, 0.0, 24.0, 17.0\]$"),
        (truth([[-1.0, 0.0, 4.0, 4.0]], [0]), r"0 <= x1 < x2"),
        (truth([[0.0, math.nan, 4.0, 4.0]], [0]), r"0 <= x1 < x2"),
    ],
)
def test_boxes_that_cannot_be_are_refused(target: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Detection(3).check([TWO, target], SIZE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 0}, "classes must be at least 1; got 0"),
        ({"classes": 3, "depth": -1}, "depth must be at least 0; got -1"),
        ({"classes": 3, "pool": 0}, "pool must be at least 1; got 0"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Detection(**options)


# --- detections


def test_perfect_predictions_give_the_boxes_back() -> None:
    task, target = Detection(3), [TWO, NONE, ONE]
    decoded = task.decode(perfect(target))
    for detections, true in zip(decoded, target, strict=True):
        order, expected = detections["labels"].argsort(), true["labels"].argsort()
        assert_close(detections["boxes"][order], true["boxes"][expected])
        assert_close(detections["labels"][order], true["labels"][expected])
    assert measures(task, perfect(target), target) == {"map": 1, "map_50": 1, "map_75": 1}


def test_a_score_is_the_geometric_mean_of_class_and_centerness() -> None:
    (detections,) = Detection(1).decode(single_place(0.4, [-1.0, 1.0, 5.0, 3.0], -0.8))
    expected = math.sqrt(1 / (1 + math.exp(-0.4)) / (1 + math.exp(0.8)))
    assert detections["scores"].tolist() == pytest.approx([expected])
    assert detections["boxes"].tolist() == [[0.0, 1.0, 4.0, 3.0]]  # what lies in the picture
    assert detections["labels"].tolist() == [0]
    (nothing,) = Detection(1).decode(single_place(-8.0, [0.0, 1.0, 4.0, 3.0], -0.8))
    assert nothing["boxes"].shape == (0, 4)


def test_overlapping_boxes_of_a_class_become_one_and_those_of_two_classes_stay() -> None:
    places = perfect([truth([[1.0, 2.0, 9.0, 14.0]], [2])])
    assert len(Detection(3).decode(places)[0]["labels"]) == 1
    places.logits[..., 0] = torch.where(places.logits[..., 2] > 0, 5.0, -10.0)
    assert Detection(3).decode(places)[0]["labels"].tolist() == [2, 0]  # the best first


def test_a_picture_has_no_more_detections_than_coco_counts() -> None:
    places = random_places(1)
    boxes = torch.cat([CENTERS - 1, CENTERS + 1], 1).unsqueeze(0)
    logits = torch.rand(1, len(CENTERS), 6)
    detections = Detection(6).decode(places._replace(logits=logits, boxes=boxes))[0]
    assert len(detections["scores"]) == 100
    assert (detections["scores"].diff() <= 0).all()


# --- measures


def test_the_precision_of_no_detection_is_0_and_without_truth_there_is_none() -> None:
    task = Detection(3)
    silent = random_places(1)._replace(logits=torch.full((1, len(CENTERS), 3), -20.0))
    assert measures(task, silent, [TWO]) == {"map": 0, "map_50": 0, "map_75": 0}
    assert all(math.isnan(value) for value in measures(task, random_places(1), [NONE]).values())
    assert all(math.isnan(value) for value in measures(task, random_places(1), [None]).values())


def test_it_measures_what_torchmetrics_measures_and_leaves_out_what_is_unknown() -> None:
    task, target = Detection(3), [TWO, None, ONE, NONE]
    places = random_places(4)
    near = perfect([TWO, NONE, ONE, NONE])
    places = places._replace(
        boxes=near.boxes + 0.7 * torch.randn_like(near.boxes), logits=places.logits + near.logits / 4
    )
    decoded = task.decode(places)
    theirs = MeanAveragePrecision()
    theirs.update([decoded[i] for i in (0, 2, 3)], [TWO, ONE, NONE])
    expected = theirs.compute()
    ours = measures(task, places, target)
    assert ours == {name: expected[name].item() for name in ("map", "map_50", "map_75")}
    assert 0 < ours["map"] < 1


def test_measures_forget_and_travel() -> None:
    task = Detection(3)
    metrics = task.build_metrics()
    task.update(metrics, task.decode(random_places(1)), [TWO])
    metrics.reset()
    task.update(metrics, task.decode(perfect([ONE])), [ONE])
    again = pickle.loads(pickle.dumps(metrics))
    assert again.compute()["map"] == metrics.compute()["map"] == 1


# --- pictures


def test_true_boxes_are_drawn_in_the_color_of_their_class_up_to_their_last_pixel() -> None:
    images = torch.zeros(2, 3, *SIZE)
    drawn = Detection(3).draw([truth([[2.0, 3.0, 24.0, 9.0]], [1]), None], images)
    edges = torch.zeros(SIZE, dtype=torch.bool)
    edges[3:9, 2:24] = True
    edges[4:8, 3:23] = False
    color = (255 * palette(3)[1]).round() / 255
    assert_close(drawn[0], torch.where(edges, color.view(3, 1, 1), 0))
    assert torch.equal(drawn[1], images[1])


def test_only_likely_detections_are_drawn() -> None:
    images, task = torch.rand(2, 3, *SIZE), Detection(3)
    drawn = task.draw(task.decode(perfect([TWO, NONE])), images)
    assert not torch.equal(drawn[0], images[0])
    assert torch.equal(drawn[1], images[1])
    doubtful = perfect([TWO, NONE])
    doubtful = doubtful._replace(centerness=torch.full_like(doubtful.centerness, -2.5))
    assert len(task.decode(doubtful)[0]["scores"]) > 0
    assert torch.equal(task.draw(task.decode(doubtful), images), images)


def test_the_best_detection_is_drawn_over_the_others() -> None:
    detections = truth([[2.0, 3.0, 20.0, 9.0], [2.0, 3.0, 20.0, 9.0]], [2, 0])
    detections["scores"] = torch.tensor([0.9, 0.8])
    drawn = Detection(3).draw([detections], torch.zeros(1, 3, *SIZE))
    assert_close(drawn[0, :, 3, 2], (255 * palette(3)[2]).round() / 255)


# --- training


def squares(index: int) -> dict[str, Any]:
    """A red and a green square, somewhere."""
    generator = torch.Generator().manual_seed(index)
    image, boxes = torch.full((3, 32, 32), 0.5), []
    for label in range(2):
        side = int(torch.randint(6, 12, (), generator=generator))
        x, y = torch.randint(1, 20, (2,), generator=generator).tolist()
        image[:, y : y + side, x : x + side] = torch.eye(3)[label].view(3, 1, 1)
        boxes.append([float(x), float(y), float(x + side), float(y + side)])
    return {"image": image, "boxes": truth(boxes, [0, 1]), "labels": (image[0] == 1).long()}


def collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    batch = {name: torch.stack([sample[name] for sample in samples]) for name in ("image", "labels")}
    return {**batch, "boxes": [sample["boxes"] for sample in samples]}


@pytest.mark.filterwarnings("ignore:.*smaller than the logging interval")
def test_squares_are_found(tmp_path: Path) -> None:
    """Beside another task, from one shared view of the features, as GradNorm wants it."""
    data = DataLoader([squares(index) for index in range(4)], 4, collate_fn=collate)  # type: ignore[arg-type]
    tasks = {"boxes": Detection(2, width=16, depth=1), "seg": Segmentation(2, width=8)}
    model = MultiTask(SmallEncoder(width=8, blocks=1), tasks, GradNorm, channels=32, lr=1e-2)
    options: Any = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(
        max_epochs=60, accelerator="cpu", default_root_dir=tmp_path, enable_model_summary=False, **options
    )
    trainer.fit(model, data)
    (result,) = trainer.validate(model, data, verbose=False)
    assert result["val/boxes/map_50"] > 0.9
    assert {"val/boxes", "val/boxes/map", "val/boxes/map_75"} <= set(result)


def test_pictures_are_drawn_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision leaves what it draws on the CPU; beside a picture without boxes that cannot be stacked."""
    shapes: list[torch.Size] = []

    def draw_on_the_cpu(image: Tensor, boxes: Tensor, colors: list[tuple[int, ...]]) -> Tensor:
        shapes.append(image.shape)
        return torch.zeros(image.shape)

    monkeypatch.setattr(detection, "draw_bounding_boxes", draw_on_the_cpu)
    images = torch.rand(3, 3, 8, 12, device="meta")
    drawn = Detection(3).draw([truth([[0.0, 0.0, 4.0, 4.0]], [1]), truth([], []), None], images)
    assert drawn.device.type == "meta"
    assert drawn.shape == images.shape
    assert shapes == [images.shape[1:]]


def test_a_gpu_finds_measures_and_draws_what_the_cpu_does(gpu: torch.device) -> None:
    """Of pictures with boxes, without, and with unknown ones; written as data, too."""
    target, task, images = [TWO, NONE, None, ONE], Detection(3, names=["a", "b", "c"]), torch.rand(4, 3, *SIZE)
    places = random_places(4)
    found = []
    for place in torch.device("cpu"), gpu:
        prediction = Places(*(each.to(place) if isinstance(each, Tensor) else each for each in places))
        truths = [each and {name: value.to(place) for name, value in each.items()} for each in target]
        logits = prediction.logits.detach().requires_grad_()
        loss = copy.deepcopy(task).to(place).loss(prediction._replace(logits=logits), truths)
        loss.backward()
        values, metrics = task.decode(prediction), task.build_metrics().to(place)
        task.update(metrics, values, truths)
        drawn = [task.draw(each, images.to(place)) for each in (values, truths)]
        assert {each.device.type for each in (loss, *drawn, values[0]["boxes"])} == {place.type}
        found.append(
            [loss.detach(), logits.grad, *drawn, *(each["scores"] for each in values), *metrics.compute().values()]
        )
    for expected, value in zip(*found, strict=True):
        assert_close(value.cpu(), expected, rtol=1e-4, atol=1e-5)


def test_a_compiled_step_leaves_the_loops_over_boxes_alone() -> None:
    """Pictures with other numbers of boxes would each be compiled again."""
    task, places = Detection(3), random_places(2, torch.float32)
    graphs: list[object] = []

    def count(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Any:
        graphs.append(graph)
        return graph

    @torch.compile(backend=count)
    def step(logits: Tensor, target: list[Any]) -> Tensor:
        return 2 * task.loss(places._replace(logits=3 * logits), target)

    for count_of_boxes in range(1, 9):
        boxes = [[1.0 + shift, 2.0, 9.0 + shift, 14.0] for shift in range(count_of_boxes)]
        target = [truth(boxes, [2] * count_of_boxes), ONE]
        expected = 2 * task.loss(places._replace(logits=3 * places.logits), target)
        assert_close(step(places.logits, target), expected)
    assert len(graphs) <= 3  # before the loss, and after it


def test_places_in_the_padding_find_nothing_and_boxes_follow_the_size() -> None:
    """A prediction for 8 x 12 pixels of pictures that are 16 x 36, padded to 16 x 24."""
    prediction = random_places(1)._replace(logits=torch.full((1, 24, 3), 2.0), centerness=torch.full((1, 24), 2.0))
    places = Detection(3).at_size(prediction, (8, 12), (16, 36))
    assert_close(places.boxes, prediction.boxes * torch.tensor([3.0, 2.0, 3.0, 2.0]))
    assert places.step.tolist() == [12, 8]
    assert places.size == (16, 36)
    (found,) = Detection(3).decode(places)
    own = (CENTERS[:, 0] < 12) & (CENTERS[:, 1] < 8)
    assert own.sum() == 6
    corners = clip_boxes_to_image(places.boxes[0][own], (16, 36)).tolist()
    assert len(found["boxes"]) > 0
    assert all(box in corners for box in found["boxes"].tolist())


def test_a_box_that_is_cut_to_a_line_is_none() -> None:
    prediction = single_place(4.0, [24.0, 2.0, 30.0, 9.0], 4.0)
    assert [len(value) for value in Detection(3).decode(prediction)[0].values()] == [0, 0, 0]
