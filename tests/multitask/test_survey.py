"""What a training finds out about its targets before the first step."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from losses import FocalLoss, UncertaintyWeighting
from multitask import Depth, Detection, MultiTask, Normals, Segmentation, SmallEncoder, Task
from multitask import survey as survey_module
from multitask.survey import survey, surveyed
from multitask.tasks.class_task import balanced_weights
from tests.multitask.scenes import small_data

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are using a custom batch sampler"),
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval"),
]


def make(**tasks: Task) -> MultiTask:
    torch.manual_seed(0)
    return MultiTask(SmallEncoder(width=4, blocks=0), tasks, channels=8)


def fit(model: MultiTask, folder: Path, *, resume: Path | None = None, **options: Any) -> pl.Trainer:
    trainer = pl.Trainer(
        **{"max_epochs": 1, "limit_val_batches": 0, **options},
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        use_distributed_sampler=False,
    )
    trainer.fit(model, datamodule=small_data(folder / "data"), ckpt_path=resume, weights_only=True)
    return trainer


def files(folder: Path, kind: str) -> np.ndarray[Any, Any]:
    return np.stack([np.asarray(Image.open(file)) for file in sorted((folder / "data/train" / kind).iterdir())])


def test_weights_with_which_all_classes_count_alike() -> None:
    weights = balanced_weights(torch.tensor([60, 30, 0, 10]))
    assert_close(weights, torch.tensor([100 / 240, 100 / 120, 100 / 40, 100 / 40]))


def test_at_most_some_hundred_scenes_spread_over_all() -> None:
    assert surveyed(3) == [0, 1, 2]
    assert len(surveyed(10_000)) == 256
    assert {b - a for a, b in zip(surveyed(10_000), surveyed(10_000)[1:], strict=False)} == {39, 40}
    assert surveyed(10_000)[-1] > 9_950


def test_a_fit_starts_from_the_mean_depth_and_balanced_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = {
        "seg": Segmentation(3, width=4, class_weights="balanced", names=["a", "b", "c"]),
        "depth": Depth(width=4),
        "boxes": Detection(2, width=4),
    }
    model = make(**tasks)
    assert model.heads["depth"][-1].bias.item() == pytest.approx(10 / 3)
    fit(model, tmp_path, max_steps=0)
    mean = files(tmp_path, "depth").mean() / 1000
    assert model.heads["depth"][-1].bias.item() == pytest.approx(mean, rel=1e-6)
    counts = np.bincount(files(tmp_path, "labels").ravel())
    assert_close(model.tasks["seg"].criterion.weight, torch.tensor(counts.sum() / (3 * counts), dtype=torch.float32))
    said = capsys.readouterr().out
    assert "targets in 10 training scenes:" in said
    shares, weights = counts / counts.sum(), counts.sum() / (3 * counts)
    assert f"  seg            10  a: {shares[0]:.1%} x {weights[0]:.3g}, b: {shares[1]:.1%} x {weights[1]:.3g}" in said
    assert f"  depth          10  mean {mean:.4g}" in said
    assert "  boxes          10  10 boxes; 0: " in said


def test_weights_travel_in_the_checkpoint_and_are_not_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_task = partial(Segmentation, 3, width=4, class_weights="balanced", loss=FocalLoss())
    model = make(seg=make_task(), depth=Depth(width=4))
    fit(model, tmp_path).save_checkpoint(tmp_path / "run.ckpt")
    loaded = MultiTask.load_from_checkpoint(tmp_path / "run.ckpt", weights_only=True)
    prediction, target = torch.randn(2, 3, 4, 5), torch.randint(3, (2, 4, 5))
    trained = model.tasks["seg"]
    assert not torch.equal(trained.criterion.alpha, torch.ones(3))
    assert torch.equal(loaded.tasks["seg"].loss(prediction, target), trained.loss(prediction, target))

    def refuse(*_: Any) -> None:
        raise AssertionError("counted again")

    monkeypatch.setattr("multitask.module.survey", refuse)
    capsys.readouterr()
    bias = loaded.heads["depth"][-1].bias.item()
    resumed = make(seg=make_task(), depth=Depth(width=4))
    fit(resumed, tmp_path, resume=tmp_path / "run.ckpt", max_epochs=2)
    assert torch.equal(resumed.tasks["seg"].criterion.alpha, trained.criterion.alpha)
    fit(loaded, tmp_path, max_steps=0)  # a trained model goes on from its own head
    assert loaded.heads["depth"][-1].bias.item() == bias
    assert "targets in" not in capsys.readouterr().out


def test_several_processes_start_alike(tmp_path: Path) -> None:
    class SameEverywhere(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            first = trainer.strategy.broadcast(pl_module.state_dict())
            for name, value in pl_module.state_dict().items():
                assert torch.equal(value, first[name]), name
            assert not torch.equal(first["tasks.seg.criterion.weight"], torch.ones(3))
            assert first["heads.depth.3.bias"].item() != pytest.approx(10 / 3)

    model = make(seg=Segmentation(3, width=4, class_weights="balanced"), depth=Depth(width=4))
    options: dict[str, Any] = {"devices": 2, "strategy": "ddp_fork", "callbacks": [SameEverywhere()]}
    fit(model, tmp_path, max_steps=1, **options)


def test_targets_are_counted_without_augmentation_and_as_far_as_they_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = small_data(tmp_path / "data", resize=(8, 12))
    for file in sorted((tmp_path / "data/train/depth").iterdir())[4:]:
        file.unlink()
    tasks: dict[str, Task] = {"seg": Segmentation(3), "depth": Depth(), "boxes": Detection(2)}
    found = survey(data, tasks)
    assert found.labeled == {"seg": 10, "depth": 4, "boxes": 10}
    assert found.totals["seg"]["classes"].sum() == 10 * 8 * 12
    assert found.totals["depth"]["pixels"] == 4 * 8 * 12
    assert found.totals["boxes"]["boxes"].sum() == 10
    monkeypatch.setattr(survey_module, "SCENES", 4)
    few = survey(data, tasks)
    assert few.totals["seg"]["classes"].sum() == 4 * 8 * 12
    assert few.table({"seg": ""})[0] == "targets in 4 training scenes, spread over the 10:"


def test_a_task_of_which_nothing_is_known_says_so() -> None:
    normals, depth, set_depth = Normals(), Depth(), Depth(start=2.0)
    head = depth.build_head(4)
    assert normals.start_from({}, head) == depth.start_from({}, head) == "nothing known"
    assert Segmentation(3, class_weights="balanced").start_from({}, head) == "nothing labeled"
    target = torch.zeros(1, 3, 1, 4)
    target[:, 2, :, :3] = 1.0
    assert normals.start_from(normals.count(target), head) == "75.0% of the pixels known"
    assert head[-1].bias.item() == pytest.approx(10 / 3)
    totals = depth.count(torch.full((1, 1, 2, 2), 7.0))
    for task, start in (depth, 7.0), (set_depth, 2.0):
        assert task.start_from(totals, head := task.build_head(4)) == "mean 7"
        assert head[-1].bias.item() == start


def test_what_is_none_is_left_out() -> None:
    tasks: dict[str, Task | None] = {"seg": Segmentation(3), "depth": None}
    model = MultiTask(SmallEncoder(4), tasks, UncertaintyWeighting)
    assert list(model.tasks) == list(model.hparams["tasks"]) == ["seg"]
