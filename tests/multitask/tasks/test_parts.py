"""A task whose loss is weighted in parts: the same numbers, and the gradient of each part by itself."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from losses import FixedWeighting, GradNorm, UncertaintyWeighting
from multitask import Depth, Detection, MultiTask, Segmentation, SmallEncoder, Task
from multitask.data import collate
from multitask.module import WeightingOfTasks
from tests.multitask.scenes import small_data

PARTS = ("boxes_focal", "boxes_giou", "boxes_centerness")

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using a custom batch sampler"),
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval"),
]


def make(parts: Any, weighting: WeightingOfTasks = FixedWeighting) -> MultiTask:
    torch.manual_seed(0)
    tasks: dict[str, Task] = {"seg": Segmentation(3, width=4), "boxes": Detection(2, width=4, depth=1, parts=parts)}
    return MultiTask(SmallEncoder(width=4, blocks=0), tasks, weighting, channels=8).double()


def batch(folder: Path) -> dict[str, Any]:
    data = small_data(folder / "data").dataset("train")
    scenes = collate([data[0, 0], data[0, 1]])
    return {**scenes, "image": scenes["image"].double()}


def step(model: MultiTask, scenes: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
    """The total of a batch and the losses, after its backward pass."""
    views = model.weighting.branch(model._features(scenes["image"]), model.neck.weight)
    losses = model._losses(scenes, views)
    total = model.weighting(losses)
    total.backward()
    return total.detach(), {name: loss.detach() for name, loss in losses.items()}


def gradients(model: MultiTask) -> dict[str, Tensor]:
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("weighting", [FixedWeighting, GradNorm])
def test_with_equal_weights_apart_is_together(weighting: WeightingOfTasks, tmp_path: Path) -> None:
    """GradNorm's weights are equal at first: for it the head goes backward once for each part."""
    together, parts, scenes = make("together"), make("apart", weighting), batch(tmp_path)
    total, of_tasks = step(together, scenes)
    same_total, of_parts = step(parts, scenes)
    assert tuple(of_parts) == ("seg", *PARTS)
    assert_close(same_total, total)
    assert_close(torch.stack([of_parts[part] for part in PARTS]).sum(), of_tasks["boxes"])
    expected, found = gradients(together), gradients(parts)
    assert expected.keys() == found.keys()
    assert len(expected) == len(list(together.parameters()))
    for name, gradient in expected.items():
        assert_close(found[name], gradient, rtol=1e-9, atol=1e-12)
    for one, other in zip(together.heads.buffers(), parts.heads.buffers(), strict=True):  # the batch was seen once
        assert_close(other, one)


def test_gradnorm_measures_each_part(tmp_path: Path) -> None:
    """Against the gradient of each part by itself, and unequal weights, by autograd alone."""
    model, scenes = make("apart", partial(GradNorm, alpha=0.0)), batch(tmp_path)
    assert isinstance(model.weighting, GradNorm)
    weights = torch.tensor([0.4, 1.6, 0.5, 1.5], dtype=model.weighting.current.dtype)
    model.weighting.current.copy_(weights)
    features = model._features(scenes["image"])
    losses = model._losses(scenes, dict.fromkeys(("seg", *PARTS), features))
    norms, total = [], torch.zeros((), dtype=torch.float64)
    for weight, loss in zip(weights, losses.values(), strict=True):
        (gradient,) = torch.autograd.grad(weight * loss, model.neck.weight, retain_graph=True)
        norms.append(torch.linalg.vector_norm(gradient))
        total = total + weight * loss
    expected = torch.autograd.grad(total, list(model.parameters()))

    step(model, scenes)
    for gradient, of_sum in zip(gradients(model).values(), expected, strict=True):
        assert_close(gradient, of_sum, rtol=1e-9, atol=1e-12)
    model.weighting.step()
    report = model.weighting.report()
    measured = torch.stack([report[f"gradient_norm/{name}"] for name in ("seg", *PARTS)])
    assert_close(measured.double(), torch.stack(norms).detach(), rtol=1e-5, atol=1e-7)


def trainer_of(folder: Path, **options: Any) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        accumulate_grad_batches=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        use_distributed_sampler=False,
        **options,
    )


@pytest.mark.parametrize(
    ("weighting", "precision"),
    [(FixedWeighting, "64-true"), (UncertaintyWeighting, "64-true"), (GradNorm, "64-true"), (GradNorm, "bf16-mixed")],
)
def test_parts_are_logged_and_evaluated_as_their_sum(
    weighting: WeightingOfTasks, precision: Any, tmp_path: Path
) -> None:
    model = make("apart", weighting)
    trainer = trainer_of(tmp_path, precision=precision)
    trainer.fit(model if precision == "64-true" else model.float(), datamodule=small_data(tmp_path / "data"))
    logged = trainer.callback_metrics
    for part in PARTS:
        assert {f"train/{part}", f"weighted/{part}", f"weight/{part}"} <= logged.keys()
    assert "train/boxes" not in logged and "val/boxes_focal" not in logged
    assert float(logged["val/loss"]) == pytest.approx(float(logged["val/seg"] + logged["val/boxes"]))


def test_several_processes_stay_the_same(tmp_path: Path) -> None:
    class SameEverywhere(pl.Callback):
        def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            first = trainer.strategy.broadcast(pl_module.state_dict())
            for name, value in pl_module.named_parameters():
                assert torch.equal(value, first[name]), name
            assert not torch.equal(first["weighting.current"], torch.ones(4))

    options: dict[str, Any] = {"devices": 2, "strategy": "ddp_fork", "callbacks": [SameEverywhere()]}
    trainer_of(tmp_path, **options).fit(make("apart", GradNorm).float(), datamodule=small_data(tmp_path / "data"))


def test_what_parts_are_like_and_a_batch_without_boxes() -> None:
    task, other = Detection(2, width=4, depth=0, parts="apart"), Detection(2, width=4)
    assert (dict(other.parts), task.parts["focal"], task.parts["giou"]) == ({}, "categorical", "laplace")
    places = task.build_head(4)(torch.randn(2, 4, 3, 3), (12, 12))
    unknown = task.loss(places, [None, None])
    assert isinstance(unknown, dict)
    assert {name: float(loss.detach()) for name, loss in unknown.items()} == dict.fromkeys(task.parts, 0.0)
    assert all(loss.requires_grad for loss in unknown.values())


def test_a_task_named_as_a_part_is_refused() -> None:
    tasks: dict[str, Task] = {"boxes": Detection(2, parts="apart"), "boxes_giou": Depth()}
    with pytest.raises(ValueError, match="boxes_giou is a task, and a part of the loss of another: rename the task"):
        MultiTask(SmallEncoder(4), tasks)


def test_weights_of_parts_have_their_names() -> None:
    weights = dict.fromkeys(PARTS, 2.0)
    model = MultiTask(SmallEncoder(4), {"boxes": Detection(2, parts="apart")}, partial(FixedWeighting, weights=weights))
    assert model.weighting.tasks == PARTS
    with pytest.raises(ValueError, match="weights must have a value for each of boxes_focal, boxes_giou, boxes_center"):
        MultiTask(
            SmallEncoder(4), {"boxes": Detection(2, parts="apart")}, partial(FixedWeighting, weights={"boxes": 1.0})
        )
