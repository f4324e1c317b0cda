import copy
import functools
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader

from losses import DBMTL, FixedWeighting, GradNorm, UncertaintyWeighting
from multitask import Depth, Detection, MultiTask, Segmentation, SmallEncoder
from multitask.data import RandomScaleCropFlip
from multitask.guide import Guide
from multitask.module import WeightingOfTasks
from tests.multitask.scenes import small_data, write_scenes
from tests.multitask.small_model import TASKS, fit, loader, make, make_tasks, sample


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*smaller than the logging interval")
@pytest.mark.parametrize("weighting", [FixedWeighting, UncertaintyWeighting, GradNorm])
def test_every_task_learns(weighting: WeightingOfTasks, tmp_path: Path) -> None:
    model = make(weighting, lr=5e-3)
    trainer = fit(model, tmp_path, max_epochs=32)
    (measures,) = trainer.validate(model, loader(), verbose=False)
    assert measures["val/seg/miou"] > 0.8
    assert measures["val/depth/abs"] < 0.5
    assert measures["val/normals/mean"] < 30
    assert measures["val/loss"] == pytest.approx(sum(measures[f"val/{task}"] for task in TASKS), rel=1e-5)


def test_gradnorm_learns_once_for_each_step_of_the_optimizer(tmp_path: Path) -> None:
    model = make(GradNorm)
    fit(model, tmp_path, accumulate_grad_batches=2, max_epochs=3, gradient_clip_val=0.5)
    assert isinstance(model.weighting, GradNorm)
    assert model.weighting.adam is not None
    assert model.weighting.adam.steps.tolist() == [3, 3, 3, 3]
    assert model.weighting.current.sum().item() == pytest.approx(4)
    assert not torch.equal(model.weighting.current, torch.ones(4))


@pytest.mark.filterwarnings("ignore:.*module.* in eval mode at the start of training")
def test_two_accumulated_batches_train_as_one(tmp_path: Path) -> None:
    """With batch norm in evaluation, as it would see the halves."""
    models = [make(GradNorm).double() for _ in range(2)]
    for model, (batch_size, accumulated) in zip(models, ((8, 1), (4, 2)), strict=True):
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
        fit(model, tmp_path, loader(8, batch_size), accumulate_grad_batches=accumulated, precision="64-true")
    for one, other in zip(*(model.state_dict().values() for model in models), strict=True):
        assert_close(one, other, rtol=1e-8, atol=1e-10)


def test_a_task_without_targets_is_left_alone(tmp_path: Path) -> None:
    model = make(GradNorm)
    before = copy.deepcopy(model.heads["normals"].state_dict())
    fit(model, tmp_path, loader(without=("normals",)))
    for name, value in model.heads["normals"].state_dict().items():
        if "running" not in name and "num_batches" not in name:
            assert_close(value, before[name], rtol=1e-3, atol=1e-3)  # weight decay alone
    assert isinstance(model.weighting, GradNorm)
    assert model.weighting.current[TASKS.index("normals")] == 1
    assert model.weighting.initial[TASKS.index("normals")].isnan()


def test_losses_weights_and_measures_are_logged(tmp_path: Path) -> None:
    model = make(GradNorm)
    trainer = fit(model, tmp_path, max_epochs=1)
    logged = set(trainer.callback_metrics)
    for task in TASKS:
        names = {
            f"train/{task}",
            f"weighted/{task}",
            f"weight/{task}",
            f"gradient_norm/{task}",
            f"target_norm/{task}",
            f"training_rate/{task}",
        }
        assert names <= logged
    assert "train/total" in logged
    (measures,) = trainer.test(model, loader(), verbose=False)
    assert {
        "test/seg/miou",
        "test/seg/pixel_accuracy",
        "test/depth/abs",
        "test/depth/rel",
        "test/depth/rmse",
        "test/depth/delta_1.25",
        "test/normals/mean",
        "test/normals/median",
        "test/normals/within_11.25",
        "test/normals/within_22.5",
        "test/normals/within_30",
        "test/room/accuracy",
        "test/loss",
    } <= set(measures)


def test_an_evaluation_remembers_nothing_of_the_last_one(tmp_path: Path) -> None:
    model = make()
    trainer = fit(model, tmp_path, max_epochs=1)
    (first,) = trainer.validate(model, loader(2), verbose=False)
    trainer.validate(model, loader(8), verbose=False)
    (again,) = trainer.validate(model, loader(2), verbose=False)
    assert again == first


def test_bfloat16_trains(tmp_path: Path) -> None:
    model = make(GradNorm)
    fit(model, tmp_path, precision="bf16-mixed", max_epochs=1)
    assert isinstance(model.weighting, GradNorm)
    assert model.weighting.current.dtype == torch.float32
    assert model.weighting.current.isfinite().all()


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # of torch, when a first step is skipped
def test_float16_steps_that_overflow_teach_the_weighting_nothing(tmp_path: Path) -> None:
    """The first steps are skipped until the scale fits; the weighting has as many steps as the network's optimizer."""
    model = make(GradNorm)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30)
    trainer = fit(model, tmp_path, max_epochs=12, plugins=[MixedPrecision("16-mixed", "cpu", scaler=scaler)])
    (optimizer,) = trainer.optimizers
    taken = int(optimizer.state[model.neck.weight]["step"])
    assert 0 < taken < 24
    assert isinstance(model.weighting, GradNorm)
    assert model.weighting.adam is not None
    assert model.weighting.adam.steps.tolist() == [taken] * len(TASKS)
    assert model.weighting.current.isfinite().all()


def test_a_checkpoint_makes_the_model_again_with_its_weighting(tmp_path: Path) -> None:
    model = make(functools.partial(GradNorm, alpha=0.5))
    trainer = fit(model, tmp_path)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    loaded = MultiTask.load_from_checkpoint(tmp_path / "run.ckpt", weights_only=True)
    assert isinstance(loaded.weighting, GradNorm)
    assert loaded.weighting.alpha == 0.5
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    images = torch.stack([sample(0)["image"]])
    assert_close(loaded.eval()(images)["seg"], model.eval()(images)["seg"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": {}}, "tasks must be one or more; got none"),
        ({"tasks": {"val/seg": Depth()}}, "a task's name must be of letters, digits and _, .*; got 'val/seg'"),
        ({"tasks": {"loss": Depth()}}, "a task's name must be .* not loss or total; got 'loss'"),
        ({"weighting": FixedWeighting(TASKS)}, "expected a subclass of Weighting, or a functools.partial of one"),
        ({"weighting": functools.partial(FixedWeighting, weights={"seg": 1})}, "weights must have a value for each of"),
        ({"lr": -1}, "lr must be at least 0; got -1"),
        ({"channels": 0}, "channels must be at least 1; got 0"),
        ({"stride": 2}, "stride must be one of the encoder's, 4; got 2"),
        ({"attention": "all"}, "attention must be mtan or null; got 'all'"),
        ({"upsampling": "nearest"}, "upsampling must be bilinear or guided; got 'nearest'"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiTask(**({"encoder": SmallEncoder(4), "tasks": make_tasks()} | options))


def test_the_scene_whose_target_does_not_fit_is_named(tmp_path: Path) -> None:
    samples = [sample(index) | {"name": f"scene {index}"} for index in range(8)]
    samples[5]["labels"][3, 3] = 7
    data: Any = DataLoader(samples, 4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^scene 5: task seg, labels: target must .* got 7"):
        fit(make(), tmp_path, data)


def test_a_frozen_last_shared_layer_is_refused(tmp_path: Path) -> None:
    model = make(GradNorm)
    model.neck.requires_grad_(False)
    with pytest.raises(ValueError, match="GradNorm cannot measure at a frozen last shared layer"):
        fit(model, tmp_path)


def test_predictions_have_the_form_of_targets(tmp_path: Path) -> None:
    model = make()
    batch = next(iter(loader(2, 2)))
    predicted = model.eval().predict_step(batch, 0)
    assert predicted.keys() == set(TASKS)
    for name, task in model.named_tasks().items():
        assert predicted[name].shape == batch[task.target].shape


def test_a_task_attends_to_its_own_features(tmp_path: Path) -> None:
    """Each task has its own mask; GradNorm still measures in the last shared layer, and a checkpoint has them."""
    model = make(GradNorm, attention="mtan")
    trainer = fit(model, tmp_path)
    assert set(model.attention) == set(TASKS)
    assert isinstance(model.weighting, GradNorm)
    assert model.weighting.current.isfinite().all()
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    images = torch.stack([sample(0)["image"]])
    predicted = model.eval()(images)
    loaded = MultiTask.load_from_checkpoint(tmp_path / "run.ckpt").eval()
    assert_close(loaded(images)["depth"], predicted["depth"])
    torch.nn.init.zeros_(model.attention["depth"].refine[1].weight)
    assert not torch.equal(model(images)["depth"], predicted["depth"])
    assert_close(model(images)["seg"], predicted["seg"])


def test_guided_predictions_follow_the_picture_in_training_too(tmp_path: Path) -> None:
    """Those of every pixel; a checkpoint has the option, and one from before there was one means bilinear."""
    guided, bilinear = make(upsampling="guided"), make()
    images, batch = torch.stack([sample(0)["image"]]), next(iter(loader(2, 2)))
    losses = {model.upsampling: model._losses_of(batch) for model in (guided, bilinear)}
    assert {name for name in TASKS if losses["guided"][name] != losses["bilinear"][name]} == {"seg", "depth", "normals"}
    features = guided.eval()._features(images)
    head = guided.heads["depth"]
    coarse = nn.Sequential(*head.children())(features)
    assert_close(guided(images)["depth"], Guide.of(images, 4).upsample(coarse))
    trainer = fit(guided.train(), tmp_path)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    loaded = MultiTask.load_from_checkpoint(tmp_path / "run.ckpt").eval()
    assert_close(loaded(images)["depth"], guided.eval()(images)["depth"])
    checkpoint = torch.load(tmp_path / "run.ckpt", weights_only=True)
    del checkpoint["hyper_parameters"]["upsampling"]
    torch.save(checkpoint, tmp_path / "old.ckpt")
    assert MultiTask.load_from_checkpoint(tmp_path / "old.ckpt").upsampling == "bilinear"


def test_a_guide_pads_as_the_encoder_does_and_needs_no_coarse_features() -> None:
    images = torch.rand(1, 3, 18, 25)
    model = make(upsampling="guided").eval()
    assert model(images)["seg"].shape[2:] == (18, 25)
    targets = {"labels": torch.zeros(1, 18, 25, dtype=torch.long), "depth": torch.ones(1, 1, 18, 25)}
    batch = {"image": images, **targets}
    losses = model._losses_of(batch)
    for name in "seg", "depth":
        assert_close(losses[name], model._loss(name, model(images)[name], batch))
    head = make().heads["depth"].eval()
    features = torch.randn(1, 8, 16, 24)
    guide = Guide.of(torch.rand(1, 3, 16, 24), 1)
    assert torch.equal(head(features, (16, 24), guide), head(features, (16, 24)))


def test_a_guide_sees_pictures_in_32_bits_under_autocast() -> None:
    model = make(upsampling="guided")
    with torch.autocast("cpu", torch.bfloat16):
        losses = model._losses_of(next(iter(loader(2, 2))))
    exact = make(upsampling="guided")._losses_of(next(iter(loader(2, 2))))
    for name in TASKS:
        assert_close(losses[name].float(), exact[name], rtol=0.05, atol=0.02)


def test_db_mtl_trains_with_accumulated_batches(tmp_path: Path) -> None:
    model = make(DBMTL)
    fit(model, tmp_path, accumulate_grad_batches=2, max_epochs=3, precision="bf16-mixed")
    assert isinstance(model.weighting, DBMTL)
    assert model.weighting.steps.tolist() == [3, 3, 3, 3]
    assert model.weighting.get_extra_state().shape == (4, *model.neck.weight.shape)
    report = model.weighting.report()
    assert min(report[f"gradient_scale/{task}"].item() for task in TASKS) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*smaller than the logging interval")
@pytest.mark.parametrize("size", [(120, 160), (375, 500)])
def test_scenes_whose_sides_no_stride_divides_train(size: tuple[int, int], tmp_path: Path) -> None:
    """Through the real pipeline, with the default augmentation, at all strides of the encoder."""
    data = small_data(write_scenes(tmp_path / "data", {"train": 4, "val": 2}, size), augmentation=RandomScaleCropFlip())
    tasks = {"seg": Segmentation(3, width=8), "depth": Depth(width=8), "boxes": Detection(2, width=8, pool=2)}
    model = MultiTask(SmallEncoder(width=4, output_stride=16), tasks, GradNorm, channels=8)
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(model, datamodule=data)
    assert {"val/seg/miou", "val/depth/abs", "val/boxes/map"} <= trainer.callback_metrics.keys()
    predicted = model.eval().values(torch.rand(1, 3, *size))
    assert (predicted["seg"].shape, predicted["depth"].shape) == ((1, *size), (1, 1, *size))
