"""Runs made to fail, each of which must say why, and healthy ones, which must say nothing."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision

from pix2pix import PatchDiscriminator, Pix2Pix, UNetGenerator
from pix2pix.callbacks import GeneratorEMA, Pix2PixHealth
from tests.pix2pix.colors import color_data
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer, small_model
from training import ExactResume, Metrics


def say(folder: Path, epochs: int, data: dict[str, Any], capsys: Any, **options: Any) -> list[str]:
    """Train a small network on small pictures, and return the warnings as they came."""
    torch.manual_seed(0)
    rates = {"lr_generator": 2e-3, "lr_discriminator": 2e-3}
    model = Pix2Pix(UNetGenerator(base_channels=8, levels=3), PatchDiscriminator(6, 8, layers=1), **(rates | options))
    trainer = quiet_trainer(
        max_epochs=epochs,
        limit_val_batches=1.0,
        callbacks=[Pix2PixHealth(after=24, every=4)],
        default_root_dir=folder,
    )
    trainer.fit(model, datamodule=color_data(folder / "data", **data))
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("health: ")][:-1]


def test_a_healthy_run_is_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert say(tmp_path, 12, {}, capsys) == []


@pytest.mark.parametrize(
    ("epochs", "data", "options", "expected"),
    [
        (
            12,
            {},
            {"lr_discriminator": 0.005, "lr_generator": 2e-5},
            r"since epoch \d+ D tells real from fake in 100 % of patches, .*: D is too strong .*lr_discriminator",
        ),
        (6, {}, {"lambda_l1": 0.0}, r"since epoch 2 nothing but the GAN loss pulls at G's output.*--model.lambda_l1"),
        (
            6,
            {},
            {"lr_generator": 0.2, "lr_discriminator": 0.2},
            r"since epoch 2 \d\d % of what G should give between .*: its tanh is saturated .*--model.lr_generator",
        ),
        (6, {"shuffled": True}, {}, r"since epoch 2 outputs are (0.9\d|1.0\d) times as far .*belong to other inputs"),
        (
            40,
            {"train": 4},
            {},
            r"since epoch \d+ L1 is [23].\d times as high in validation as in training: .*add pairs",
        ),
    ],
    ids=["strong D", "lambda 0", "rates x 100", "shuffled targets", "four pictures"],
)
def test_runs_made_to_fail(
    epochs: int,
    data: dict[str, Any],
    options: dict[str, Any],
    expected: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = say(tmp_path, epochs, data, capsys, **options)
    assert any(re.search(expected, line) for line in said), "\n".join(said)


def test_steps_that_are_not_finite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every step of G and D overflows with this scale of fp16."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**100, backoff_factor=0.999)
    trainer = quiet_trainer(
        max_epochs=3,
        callbacks=[Pix2PixHealth(after=0)],
        plugins=[MixedPrecision("16-mixed", "cpu", scaler)],
        default_root_dir=tmp_path,
    )
    trainer.fit(small_model(norm="none"), datamodule=small_data(tmp_path / "data"))
    assert "health: since epoch 0 2 steps of G or D in a batch are left out" in capsys.readouterr().out


# --- it watches only


@pytest.mark.parametrize("options", [{}, {"gan_mode": "relativistic", "accumulate": 2, "d_steps": 2}])
def test_training_is_the_same_to_the_bit(options: dict[str, Any], tmp_path: Path) -> None:
    """With dropout in validation, and running statistics: weights, buffers and the next random numbers."""
    found = []
    for health in [], [Pix2PixHealth(every=2)]:
        torch.manual_seed(1)
        model = small_model(inference="paper", **options)
        trainer = quiet_trainer(
            max_epochs=2,
            limit_val_batches=1.0,
            callbacks=[ExactResume(), GeneratorEMA(0.9), *health],
            default_root_dir=tmp_path,
        )
        trainer.fit(model, datamodule=small_data(tmp_path / "data"))
        found.append([*model.state_dict().values(), torch.get_rng_state()])
    assert all(map(torch.equal, *found))
    assert len((tmp_path / "health.csv").read_text().splitlines()) == 3


def test_two_processes_write_one_file_of_both(tmp_path: Path) -> None:
    """Each has half of each batch; without batch norm they train as one, and so the means must be those of one."""
    rows = []
    two = {"devices": 2, "strategy": "ddp_fork_find_unused_parameters_true"}
    for name, batch_size, processes in (("two", 1, two), ("one", 2, {})):
        torch.manual_seed(0)
        trainer = quiet_trainer(
            max_epochs=2,
            precision="64-true",
            use_distributed_sampler=False,
            limit_val_batches=1.0,
            callbacks=[Pix2PixHealth(every=1)],
            default_root_dir=tmp_path / name,
            **processes,
        )
        trainer.fit(small_model(norm="none").double(), datamodule=small_data(tmp_path / "data", batch_size=batch_size))
        rows.append(Metrics(tmp_path / name / "health.csv").rows)
    assert [step for step, _ in rows[0]] == [step for step, _ in rows[1]] == [5, 10]
    for (_, of_two), (_, of_one) in zip(*rows, strict=True):
        assert of_two.keys() == of_one.keys()
        for name in "D_accuracy_real", "D_accuracy_fake", "G_gan", "gap/L1", "saturated", "constant", "skipped":
            assert of_two[name] == pytest.approx(of_one[name], rel=1e-4), name
        assert of_two["gradient_ratio"] == pytest.approx(of_one["gradient_ratio"], rel=0.2)  # norms of other batches
