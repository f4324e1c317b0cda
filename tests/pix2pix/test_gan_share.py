import math
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch.utils._python_dispatch import TorchDispatchMode

from losses import GradNorm, MatchedGradients, SSIMLoss
from pix2pix.gan_share import gan_share
from tests.pix2pix.colors import color_data
from tests.pix2pix.training import quiet_trainer, small_model


def test_it_is_the_share_of_the_gan_losss_gradient_beside_that_of_all_others_together() -> None:
    made = torch.zeros(2, 2, requires_grad=True)
    losses = {"gan": 3 * made[0, 0], "l1": made.sum(), "more": -made[1].sum()}
    weights = {"gan": 2.0, "l1": torch.tensor(4.0), "more": 4.0}
    # 6 beside the length of (4, 4, 0, 0)
    share = gan_share(losses, dict.fromkeys(losses, made), weights)
    assert share.item() == pytest.approx(6 / (6 + 4 * math.sqrt(2)))
    assert made.grad is None
    sum(losses.values()).backward()  # type: ignore[union-attr]  # the graph is still there
    assert made.grad is not None


def test_views_of_a_weightings_own_are_added_up() -> None:
    made = torch.zeros(2, requires_grad=True)
    views = {name: made.view_as(made) for name in ("gan", "l1", "more")}
    losses = {"gan": views["gan"].sum(), "l1": views["l1"].sum(), "more": views["more"].sum()}
    assert gan_share(losses, views, dict.fromkeys(losses, 1.0)).item() == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("weight_of_l1", "scale", "share"), [(0.0, 1.0, 1.0), (0.0, 0.0, math.nan), (1.0, math.inf, math.nan)]
)
def test_the_ends(weight_of_l1: float, scale: float, share: float) -> None:
    made = torch.zeros(2, requires_grad=True)
    losses = {"gan": made.sum() * scale, "l1": made.sum()}
    found = gan_share(losses, dict.fromkeys(losses, made), {"gan": 1.0, "l1": weight_of_l1}).item()
    assert found == pytest.approx(share, nan_ok=True)


def test_nothing_waits_for_the_device() -> None:
    seen: set[str] = set()

    class Operations(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen.add(str(function))
            return function(*args, **(kwargs or {}))

    made = torch.zeros(2, requires_grad=True)
    losses = {"gan": made.sum(), "l1": made.square().sum()}
    with Operations():
        gan_share(losses, dict.fromkeys(losses, made), {"gan": torch.tensor(2.0), "l1": 100.0})
    assert seen
    assert not [name for name in seen if any(bad in name for bad in ("local_scalar", "nonzero", "masked_select"))]


# --- in the step


class Ask(pl.Callback):
    """Asks for it in the second step: a weighting may only know its weights after the first."""

    def on_train_batch_start(self, trainer: pl.Trainer, model: Any, batch: Any, batch_idx: int) -> None:
        model.wants_gan_share = batch_idx == 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accumulate": 2},
        {"terms": {"ssim": SSIMLoss()}, "weighting": GradNorm},
        {"weighting": partial(MatchedGradients, reference="l1")},
    ],
)
@pytest.mark.parametrize("scale", [None, 2.0**16])
def test_a_step_measures_it_where_it_is_asked_and_trains_the_same(
    options: dict[str, Any], scale: float | None, tmp_path: Path
) -> None:
    found, data = [], color_data(tmp_path / "data")
    for callbacks in [], [Ask()]:
        torch.manual_seed(0)
        model = small_model(norm="none", **options)
        scaler = None if scale is None else torch.amp.GradScaler("cpu", init_scale=scale)
        plugins = [] if scale is None else [MixedPrecision("16-mixed", "cpu", scaler)]
        quiet_trainer(max_steps=3, plugins=plugins, callbacks=callbacks).fit(model, datamodule=data)
        found.append(model)
    plain, measured = found
    assert plain.gan_share is None
    assert measured.gan_share is not None
    assert 0 < measured.gan_share < 1
    assert all(map(torch.equal, plain.state_dict().values(), measured.state_dict().values()))


def test_matched_gradients_share_half(tmp_path: Path) -> None:
    """Not to the digit: they are measured at G's last layer, with the weights of the step before."""
    model = small_model(norm="none", weighting=partial(MatchedGradients, reference="l1"), lr_generator=0.0)
    quiet_trainer(max_steps=2, callbacks=[Ask()]).fit(model, datamodule=color_data(tmp_path / "data"))
    assert model.gan_share is not None
    assert 0.2 < model.gan_share < 0.8


def test_a_step_without_a_gan_loss_does_not_measure_it(tmp_path: Path) -> None:
    model = small_model(warm_up_epochs=1)
    quiet_trainer(max_steps=2, callbacks=[Ask()]).fit(model, datamodule=color_data(tmp_path / "data"))
    assert model.gan_share is None
