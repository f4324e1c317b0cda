"""How the model tells a weighting that asks for it what the losses are after the step of the optimizer."""

import copy
import functools
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision

from losses import FAMO, GradNorm
from multitask import MultiTask
from tests.multitask.small_model import TASKS, fit, loader, make


class Seen:
    """Notes what the weighting observes."""

    def __init__(self, model: MultiTask) -> None:
        self.observed: list[list[dict[str, float]]] = []
        observe = model.weighting.observe

        def note(*losses: Any) -> None:
            self.observed.append([{name: loss.item() for name, loss in each.items()} for each in losses])
            assert not any(loss.requires_grad for each in losses for loss in each.values())
            observe(*losses)

        model.weighting.observe = note  # type: ignore[method-assign]


@pytest.mark.filterwarnings("ignore:.*smaller than the logging interval")
@pytest.mark.parametrize("accumulated", [1, 2])
def test_famo_sees_the_losses_of_the_same_batches_after_the_step(accumulated: int, tmp_path: Path) -> None:
    """In training mode, with the new weights; the third step of an epoch of five batches may have one alone."""
    model = make(FAMO)
    seen, expected = Seen(model), []

    class Again(pl.Callback):
        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            batches.append(batch)
            if (batch_idx + 1) % accumulated == 0 or batch_idx == 4:
                twin = copy.deepcopy(model)
                with torch.no_grad():
                    expected.append([{k: v.item() for k, v in twin._losses_of(each).items()} for each in batches])
                assert twin.training
                batches.clear()

    batches: list[Any] = []
    fit(model, tmp_path, loader(10, 2), accumulate_grad_batches=accumulated, callbacks=[Again()])
    assert [len(each) for each in seen.observed] == ([1] * 10 if accumulated == 1 else [2, 2, 1] * 2)
    assert seen.observed == expected
    assert isinstance(model.weighting, FAMO)
    assert model.weighting.adam.steps.tolist() == [len(expected)] * len(TASKS)
    assert not torch.equal(model.weighting.logits, torch.zeros(4))


def test_looking_again_leaves_no_trace(tmp_path: Path) -> None:
    """The network trains as it would if nobody looked: batch norm counts each batch once."""
    models = []
    for looks in True, False:
        model = make(functools.partial(FAMO, lr=1e-12))
        if not looks:
            model.weighting.observe = lambda *losses: None  # type: ignore[method-assign]
            model._losses_again = lambda batches: []  # type: ignore[method-assign]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that nobody looks
            fit(model, tmp_path)
        models.append(model)
    one, other = (model.state_dict() for model in models)
    assert one["neck.last.1.num_batches_tracked"] == 4
    for name, value in one.items():
        if not name.startswith("weighting"):
            assert torch.equal(value, other[name]), name


def test_only_a_weighting_that_asks_is_told(tmp_path: Path) -> None:
    model = make(GradNorm)
    seen = Seen(model)
    fit(model, tmp_path)
    assert seen.observed == []


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # of torch, when a first step is skipped
def test_float16_steps_that_overflow_are_not_observed(tmp_path: Path) -> None:
    model = make(FAMO)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30)
    trainer = fit(model, tmp_path, max_epochs=12, plugins=[MixedPrecision("16-mixed", "cpu", scaler=scaler)])
    taken = int(trainer.optimizers[0].state[model.neck.weight]["step"])
    assert 0 < taken < 24
    assert isinstance(model.weighting, FAMO)
    assert model.weighting.adam.steps.tolist() == [taken] * len(TASKS)
