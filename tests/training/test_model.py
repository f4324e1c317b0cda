"""What both applications' models do outside of a run."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from losses import FixedWeighting
from multitask import MultiTask
from pix2pix import Pix2Pix
from tests.training.applications import build_multitask, build_pix2pix, quiet_trainer
from training import Model

PICTURES = torch.rand(2, 3, 16, 24)
MODELS: dict[str, Callable[[], Model]] = {
    "pix2pix": build_pix2pix,
    "multitask": functools.partial(build_multitask, FixedWeighting),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    built = MODELS[request.param]()
    return built.eval()


def tensors_of(value: Any) -> list[Tensor]:
    """All tensors in nested dictionaries and tuples."""
    if isinstance(value, dict | tuple):
        parts = value.values() if isinstance(value, dict) else value
        return [tensor for each in parts for tensor in tensors_of(each)]
    return [value] if isinstance(value, Tensor) else []


def assert_alike(one: Any, other: Any) -> None:
    for first, second in zip(tensors_of(one), tensors_of(other), strict=True):
        assert_close(first, second)


@pytest.mark.filterwarnings(
    "ignore::torch.jit.TracerWarning",
    "ignore:.*torch.jit.trace.* is deprecated",
    "ignore:This property will be removed",
)
def test_it_is_traced_without_a_trainer(model: Model) -> None:
    if isinstance(model, MultiTask):  # boxes are tuples of tensors and numbers, which a tracer does not take
        del model.tasks["boxes"], model.heads["boxes"]
    traced = torch.jit.trace(model, PICTURES, strict=False, check_trace=False)
    assert_alike(traced(PICTURES), model(PICTURES))


def test_it_is_exported_without_a_trainer(model: Model) -> None:
    exported = torch.export.export(model, (PICTURES,)).module()(PICTURES)
    expected = model(PICTURES)
    if isinstance(model, MultiTask):
        exported, expected = ({name: each[name] for name in ("seg", "depth")} for each in (exported, expected))
    assert_alike(exported, expected)


def test_a_trainer_that_is_missing_is_said(model: Model) -> None:
    assert not hasattr(model, "trainer")
    trainer = quiet_trainer(Path(), enable_checkpointing=False)
    model.trainer = trainer
    assert model.trainer is trainer


def test_plain_lightning_rebuilds_it_as_well(model: Model, tmp_path: Path) -> None:
    """Arguments that are given win over those in the checkpoint."""
    trainer = quiet_trainer(tmp_path, enable_checkpointing=False)
    trainer.strategy.connect(model)
    model.trainer = trainer
    trainer.save_checkpoint(tmp_path / "model.ckpt", weights_only=True)
    again = type(model).load_from_checkpoint(tmp_path / "model.ckpt").eval()
    assert_alike(again(PICTURES), model(PICTURES))
    option = "lr_generator" if isinstance(model, Pix2Pix) else "lr"
    changed = type(model).load_from_checkpoint(tmp_path / "model.ckpt", **{option: 7.0})
    assert getattr(changed, option) == 7.0
