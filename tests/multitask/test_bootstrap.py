"""The intervals of a test's metrics: against a bootstrap by hand, and the same however the scenes are batched."""

from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from multitask import Depth, Detection, MultiTask, Segmentation, SmallEncoder
from multitask.bootstrap import DRAWS, Bootstrap, sums_scenes, times_taken
from multitask.data import collate
from multitask.metrics import local_metrics

SCENES = 12
TASKS = {"depth": Depth(), "seg": Segmentation(3), "boxes": Detection(2)}


def scene(index: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(index)
    known = torch.rand(1, 4, 4, generator=generator) < 0.7
    return {
        "name": f"scene {index}",
        "image": torch.zeros(3, 4, 4),
        "depth": torch.where(known, torch.rand(1, 4, 4, generator=generator) + 1, 0),
        "labels": torch.randint(3, (4, 4), generator=generator),
        "predicted": torch.randint(3, (4, 4), generator=generator),
    }


def intervals(batch_size: int, count: int = SCENES) -> dict[str, tuple[float, float]]:
    """Of predictions that are 2 m everywhere, and classes by chance."""
    model = MultiTask(tasks=dict(TASKS), encoder=SmallEncoder())
    trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    callback = Bootstrap()
    callback.on_test_start(trainer, model)
    for start in range(0, count, batch_size):
        scenes = [scene(index) for index in range(start, min(start + batch_size, count))]
        predicted = torch.stack([each.pop("predicted") for each in scenes])
        batch = collate(scenes)
        outputs = {"depth": torch.full_like(batch["depth"], 2.0), "seg": predicted}
        callback.on_test_batch_end(trainer, model, outputs, batch, 0)
    callback.on_test_epoch_end(trainer, model)
    return callback.ends


def test_each_draw_is_the_metric_of_the_scenes_that_it_takes() -> None:
    found = intervals(5)
    scenes = [scene(index) for index in range(SCENES)]
    times = torch.stack([times_taken(each["name"]) for each in scenes])
    errors = torch.stack([(each["depth"] - 2).abs()[each["depth"] > 0].double().sum() for each in scenes])
    pixels = torch.tensor([int((each["depth"] > 0).sum()) for each in scenes], dtype=torch.float64)
    expected = ((times.T @ errors) / (times.T @ pixels)).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
    assert found["depth/abs"] == pytest.approx(expected.tolist(), rel=1e-12)

    draws = []
    for draw in range(DRAWS):
        metrics = local_metrics(TASKS["seg"])
        for each, taken in zip(scenes, times[:, draw].int().tolist(), strict=True):
            for _ in range(taken):
                metrics.update(each["predicted"][None], each["labels"][None])
        draws.append(metrics.compute()["miou"].double())
    expected = torch.stack(draws).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
    assert found["seg/miou"] == pytest.approx(expected.tolist(), rel=1e-6)


def test_they_do_not_depend_on_the_batches() -> None:
    one, other = intervals(1), intervals(7)
    assert (
        one.keys()
        == other.keys()
        == {"depth/abs", "depth/rel", "depth/rmse", "depth/delta_1.25"}
        | {
            "seg/miou",
            "seg/pixel_accuracy",
        }
    )
    for key, ends in one.items():
        assert other[key] == pytest.approx(ends, rel=1e-9)


def test_draws_without_a_scene_do_not_count() -> None:
    """Of one scene every third draw has none, and all others have its metric."""
    only = scene(0)
    accuracy = (only["predicted"] == only["labels"]).double().mean().item()
    assert intervals(1, count=1)["seg/pixel_accuracy"] == pytest.approx((accuracy, accuracy))
    assert intervals(1, count=0) == {}


def test_draws_take_scenes_once_on_average_and_each_in_its_own_way() -> None:
    times = torch.stack([times_taken(str(index)) for index in range(200)])
    assert times.mean() == pytest.approx(1, abs=0.02)
    assert times.var() == pytest.approx(1, abs=0.03)
    assert torch.equal(times[3], times_taken("3"))
    assert len(torch.unique(times, dim=0)) == 200


def test_a_metric_that_ranks_all_boxes_together_has_none() -> None:
    (precision,) = local_metrics(TASKS["boxes"]).values()
    assert not sums_scenes(precision)
