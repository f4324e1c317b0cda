"""Both applications on a GPU, or a pretended one: all that a run does, in each precision, and from there to the CPU."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from pix2pix.callbacks import Pix2PixHealth, PredictionWriter
from tests.devices import trainer_options
from tests.training.applications import APPLICATIONS, quiet_trainer
from tests.training.states import assert_same
from training import ExactResume, SamplePictures
from training.callbacks import PictureTable

CPU = torch.device("cpu")
CALLBACKS: dict[str, list[Any]] = {"pix2pix": [Pix2PixHealth, PredictionWriter]}
ACCUMULATED = {"accumulate_grad_batches": 2, "gradient_clip_val": 1.0}
MODES: list[tuple[str, str, dict[str, Any]]] = [
    ("pix2pix", "bf16-mixed", {}),
    ("pix2pix-objective", "16-mixed", {}),  # accumulates, clips and weighs G's terms
    ("gradnorm", "16-mixed", ACCUMULATED),
    # A pretended GPU does not autocast: to it these would be the same again.
    ("pix2pix", "32-true", {}),
    ("pix2pix", "16-mixed", {}),
    ("pix2pix-objective", "bf16-mixed", {}),
    ("gradnorm", "32-true", {}),
    ("gradnorm", "bf16-mixed", ACCUMULATED),
    ("uncertainty", "16-mixed", {"gradient_clip_val": 1.0}),
]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:You are using a custom batch sampler")]


class SaveInTheMiddle(pl.Callback):
    """Saves after the second batch of the second epoch."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def on_train_batch_end(self, trainer: pl.Trainer, model: pl.LightningModule, *_: Any) -> None:
        assert {each.device.type for each in model.state_dict().values() if each.is_floating_point()} == {
            trainer.strategy.root_device.type
        }
        if (trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_idx) == (1, 1):
            trainer.save_checkpoint(self.file)


def fit(
    name: str,
    folder: Path,
    device: torch.device,
    *,
    precision: str = "32-true",
    resume: Path | None = None,
    callbacks: Any = (),
    **options: Any,
) -> tuple[pl.Trainer, Any, Any]:
    """Train two epochs; with a checkpoint the rest of them."""
    application = APPLICATIONS[name]
    torch.manual_seed(7 if resume is None else 8)
    model, data = application.build_model(), application.build_data(folder / "data")
    trainer = quiet_trainer(
        folder,
        max_epochs=2,
        callbacks=[ExactResume(), *application.callbacks(), SaveInTheMiddle(folder / "middle.ckpt"), *callbacks],
        enable_checkpointing=False,
        inference_mode=torch.cuda.is_available(),  # which a pretended one knows too little of
        **trainer_options(device, precision),
        **options,
    )
    trainer.fit(model, data, ckpt_path=resume, weights_only=True)
    trainer.save_checkpoint(folder / "last.ckpt")
    return trainer, model, data


def read(file: Path) -> Any:
    return torch.load(file, map_location="cpu", weights_only=True)


@pytest.mark.parametrize(("name", "precision", "options"), MODES if torch.cuda.is_available() else MODES[:3])
def test_a_run_trains_evaluates_draws_and_predicts(
    name: str, precision: str, options: dict[str, Any], tmp_path: Path, gpu: torch.device
) -> None:
    callbacks = [SamplePictures(count=2), PictureTable(), *(make() for make in CALLBACKS.get(name, []))]
    trainer, model, data = fit(name, tmp_path, gpu, precision=precision, callbacks=callbacks, **options)
    assert all(value.isfinite() for key, value in trainer.callback_metrics.items() if key.startswith("train/"))
    trainer.test(model, data, verbose=False)
    outputs = trainer.predict(model, data)
    assert outputs
    assert list(tmp_path.glob("samples/*.png"))
    if name == "pix2pix":
        assert len(list(tmp_path.glob("predictions/*.png"))) == 3


@pytest.mark.parametrize("name", ["pix2pix", "gradnorm"])
def test_resumed_in_the_middle_of_an_epoch_to_the_bit(name: str, tmp_path: Path, gpu: torch.device) -> None:
    """With the deterministic algorithms that this needs; a pretended GPU refuses what has none."""
    fit(name, tmp_path / "whole", gpu, deterministic=True)
    fit(name, tmp_path / "resumed", gpu, deterministic=True, resume=tmp_path / "whole" / "middle.ckpt")
    assert_same(read(tmp_path / "resumed" / "last.ckpt"), read(tmp_path / "whole" / "last.ckpt"))


@pytest.mark.parametrize(("name", "begins_on_gpu"), [("pix2pix", True), ("gradnorm", False)])
def test_a_checkpoint_goes_on_elsewhere(name: str, begins_on_gpu: bool, tmp_path: Path, gpu: torch.device) -> None:
    """Without dropout, whose numbers each device draws its own way, it ends up in the same place."""
    start, end = (gpu, CPU) if begins_on_gpu else (CPU, gpu)
    whole, *_ = fit(name, tmp_path, start)
    resumed, *_ = fit(name, tmp_path, end, resume=tmp_path / "middle.ckpt")
    assert resumed.global_step == whole.global_step == 10
    if name != "pix2pix":
        ends = [trainer.callback_metrics["val/loss"].cpu() for trainer in (whole, resumed)]
        torch.testing.assert_close(*ends, rtol=0.02, atol=0)
