"""Training in several processes."""

import copy
from pathlib import Path
from typing import Any

import pytest
from torch.testing import assert_close

from losses import FeatureMatchingLoss, GradNorm, SSIMLoss, UncertaintyWeighting
from pix2pix import R1, R2, RegistrationLoss
from tests.pix2pix.pictures import small_data, write_side_by_side
from tests.pix2pix.training import quiet_trainer, small_model, weights
from training import ExactResume
from training.callbacks import Networks


@pytest.mark.parametrize(
    "objective",
    [
        {},
        # The penalty draws random numbers of its own in each process: it is made, but does not count.
        {"gan_mode": "wgan", "penalty_weight": 0.0},
        {
            "gan_mode": "relativistic",
            "terms": {"ssim": SSIMLoss(), "features": FeatureMatchingLoss()},
            "weighting": GradNorm,
            "penalties": {"r1": R1(0.1), "r2": R2(0.1)},
            "clip_norm": 0.5,
            "d_steps": 2,
        },
        {"terms": {"registered": RegistrationLoss(3, base_channels=4)}, "weighting": UncertaintyWeighting},
    ],
    ids=["default", "wgan", "relativistic", "registered"],
)
def test_two_processes_train_as_one_with_their_batches_joined(objective: dict[str, Any], tmp_path: Path) -> None:
    start = small_model(norm="none", **objective).state_dict()
    trained = []
    for batch_size, options in (
        (1, {"devices": 2, "strategy": "ddp_fork_find_unused_parameters_true"}),
        (2, {}),
    ):
        model = small_model(norm="none", **copy.deepcopy(objective)).double()
        model.load_state_dict(start)
        data = small_data(tmp_path / "data", batch_size=batch_size)
        trainer = quiet_trainer(
            max_epochs=2, precision="64-true", use_distributed_sampler=False, limit_val_batches=1.0, **options
        )
        trainer.fit(model, datamodule=data)
        trained.append((weights(model), trainer.callback_metrics["val/l1"].item()))
    (several, several_l1), (one, one_l1) = trained
    assert_close(several, one, rtol=1e-9, atol=1e-12)
    assert several_l1 == pytest.approx(one_l1, rel=1e-6)
    assert any((one[name] - start[name]).abs().max() > 1e-4 for name in start)


def test_two_processes_that_compute_feature_maps_again_train_to_the_same_bits(tmp_path: Path) -> None:
    start, trained = small_model().state_dict(), []
    for recompute in False, True:
        model = small_model()
        model.load_state_dict(start)
        strategy = {"devices": 2, "strategy": "ddp_fork_find_unused_parameters_true"}
        callbacks = [ExactResume(), Networks(recompute=recompute)]
        trainer = quiet_trainer(max_epochs=1, use_distributed_sampler=False, callbacks=callbacks, **strategy)
        trainer.fit(model, datamodule=small_data(tmp_path / "data", batch_size=2))
        trained.append(weights(model))
    assert_close(*trained, rtol=0, atol=0)
    assert any(not start[name].equal(trained[0][name]) for name in start)


def test_three_processes_and_uneven_batches_are_as_one(tmp_path: Path) -> None:
    """Of 4 pairs to measure one process has two; of 10 to train on each leaves out the tenth."""
    write_side_by_side(tmp_path / "data", val=4)
    objective = {"terms": {"ssim": SSIMLoss()}, "weighting": GradNorm}
    start = small_model(norm="none", **copy.deepcopy(objective)).state_dict()
    trained = []
    for batch_size, options in (
        (1, {"devices": 3, "strategy": "ddp_fork_find_unused_parameters_true"}),
        (3, {}),
    ):
        model = small_model(norm="none", **copy.deepcopy(objective)).double()
        model.load_state_dict(start)
        trainer = quiet_trainer(
            max_epochs=2, precision="64-true", use_distributed_sampler=False, limit_val_batches=1.0, **options
        )
        trainer.fit(model, datamodule=small_data(tmp_path / "data", batch_size=batch_size))
        measured = {name: trainer.callback_metrics[f"val/{name}"].item() for name in ("l1", "psnr", "ssim")}
        trained.append((weights(model), measured))
    (several, several_measured), (one, one_measured) = trained
    assert_close(several, one, rtol=1e-9, atol=1e-12)
    assert several_measured == pytest.approx(one_measured, rel=1e-6)
