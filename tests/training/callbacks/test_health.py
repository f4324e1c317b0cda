from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader

from training import Metrics
from training.callbacks import Epoch, Health, Sign

BATCHES = 5


class Still(pl.LightningModule):
    """Learns nothing, logs the number of its step and returns the outputs of validation."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.asked: list[int] = []

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.log("train/step", torch.tensor(float(self.global_step)))
        loss: Tensor = self.layer(batch).mean()
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.log("val/epoch", torch.tensor(float(self.current_epoch)))
        return batch + self.current_epoch

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Listed(Sign):
    """Is bad in the epochs that it is told."""

    columns = ("listed/step", "listed/output", "listed/last", "listed/val")
    averaged = ("step", "output", "last")

    def __init__(self, name: str, bad: Sequence[int]) -> None:
        super().__init__()
        self.name, self.bad = name, bad

    def before_step(self, model: pl.LightningModule) -> None:
        assert isinstance(model, Still)
        model.asked.append(model.global_step)

    def in_step(self, model: pl.LightningModule, logged: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return {"step": logged["train/step"]}

    def in_validation(self, output: Any, batch: Any) -> Mapping[str, Tensor]:
        self.outputs = output
        return {"output": output}

    def end_validation(self) -> Mapping[str, Tensor]:
        return {"last": self.outputs}

    def values(self, epoch: Epoch) -> dict[str, float]:
        self.memory["epochs"] = self.memory.get("epochs", -1) + 1
        val = epoch.logged["val/epoch"].item() if "val/epoch" in epoch.logged else torch.nan
        means = [epoch.means[name] for name in self.averaged]
        return dict(zip(self.columns, [*means, val], strict=True))

    def warning(self, values: Mapping[str, float]) -> str | None:
        return f"{self.name} is bad" if self.memory["epochs"] in self.bad else None


class ListedHealth(Health):
    def __init__(self, *bad: Sequence[int], patience: int = 2, after: int = 0, every: int = 2) -> None:
        super().__init__(patience, after, every)
        self.bad = bad

    def signs(self, model: pl.LightningModule) -> Sequence[Sign]:
        return [Listed(f"sign {index}", bad) for index, bad in enumerate(self.bad)]


def fit(folder: Path, health: Health, epochs: int, *callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    resume = options.pop("resume", None)
    quiet = {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "logger": False,
    }
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        default_root_dir=folder,
        callbacks=[health, *callbacks],
        **(quiet | options),
    )
    model = Still()
    trainer.fit(model, DataLoader(torch.zeros(BATCHES, 1)), DataLoader(torch.arange(3.0)[:, None]), ckpt_path=resume)
    return trainer


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith(("health", "  "))]


def test_a_row_for_each_epoch_of_what_was_measured_in_chosen_steps_and_in_validation(tmp_path: Path) -> None:
    trainer = fit(tmp_path, ListedHealth([]), 2)
    assert (tmp_path / "health.csv").read_text().splitlines() == [
        "epoch,step,listed/step,listed/output,listed/last,listed/val",
        "0,5,2,1,2,0",  # the mean of steps 0, 2 and 4, and of the outputs 0, 1 and 2, the last of which is 2
        "1,10,7,2,3,1",
    ]
    assert trainer.lightning_module.asked == [0, 2, 4, 5, 7, 9]
    assert [step for step, _ in Metrics(tmp_path / "health.csv").rows] == [5, 10]


def test_what_is_bad_for_long_enough_is_told_once_and_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(tmp_path, ListedHealth([0, 2, 3, 4, 6, 7], [4, 5, 6, 7], [1, 3, 5], []), 8)
    assert said(capsys) == [
        "health: since epoch 2 sign 0 is bad",
        "health: since epoch 4 sign 1 is bad",
        f"health: 2 of 4 signs were bad; the numbers are in {tmp_path}/health.csv",
        "  since epoch 2: sign 0 is bad",
        "  since epoch 4: sign 1 is bad",
    ]


def test_the_end_tells_until_when_it_was_bad(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(tmp_path, ListedHealth([1, 2, 3]), 6)
    assert said(capsys)[-1] == "  epochs 1 to 3: sign 0 is bad"


def test_a_healthy_run_says_so_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(tmp_path, ListedHealth([1, 3]), 4)
    assert said(capsys) == ["health: nothing to report"]


def test_tensorboard_gets_what_is_told(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    fit(tmp_path, ListedHealth([1, 2, 3], []), 4, logger=TensorBoardLogger(tmp_path), log_every_n_steps=5)
    (file,) = tmp_path.rglob("events.*")
    events = accumulator.EventAccumulator(str(file))
    events.Reload()
    texts = [(event.step, event.tensor_proto.string_val[0].decode()) for event in events.Tensors("health/text_summary")]
    told, summary = texts
    assert told == (3 * BATCHES, "since epoch 1 sign 0 is bad")
    assert summary[0] == 4 * BATCHES
    assert summary[1].startswith("1 of 2 signs were bad; ")
    assert summary[1].endswith("  \n  since epoch 1: sign 0 is bad")


class ExplainingHealth(ListedHealth):
    """Its first sign explains the second."""

    def signs(self, model: pl.LightningModule) -> Sequence[Sign]:
        first, *others = super().signs(model)
        first.explains = ["sign 1"]
        return [first, *others]


def test_what_another_sign_explains_is_not_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(tmp_path, ExplainingHealth([0, 1, 2], [0, 1, 2, 3, 4, 5], [0, 1, 2]), 6)
    assert said(capsys)[:3] == [
        "health: since epoch 0 sign 0 is bad",
        "health: since epoch 0 sign 2 is bad",
        "health: since epoch 3 sign 1 is bad",
    ]


def test_the_first_steps_are_not_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(tmp_path, ListedHealth(range(9), after=3 * BATCHES), 4)
    assert said(capsys)[0] == "health: since epoch 2 sign 0 is bad"


def test_an_epoch_without_validation_has_no_values_of_validation(tmp_path: Path) -> None:
    fit(tmp_path, ListedHealth([]), 3, check_val_every_n_epoch=2)
    rows = [row.split(",")[3:] for row in (tmp_path / "health.csv").read_text().splitlines()[1:]]
    assert rows == [["", "", ""], ["2", "3", "1"], ["", "", ""]]


class Save(pl.Callback):
    """Saves a checkpoint after a batch, counted from 1."""

    def __init__(self, file: Path, step: int) -> None:
        self.file, self.step = file, step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.file)


@pytest.mark.parametrize(("step", "told_before"), [(8, 0), (13, 1)])
@pytest.mark.filterwarnings("ignore:.*resuming from a checkpoint that ended before the epoch ended")
def test_a_resumed_run_goes_on_with_the_file_and_the_warnings(
    step: int, told_before: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    health = ([0, 1], [2, 3], [])
    fit(tmp_path, ListedHealth(*health), 4, Save(tmp_path / "a.ckpt", step))
    whole, told = (tmp_path / "health.csv").read_text(), said(capsys)
    fit(tmp_path, ListedHealth(*health), 4, resume=tmp_path / "a.ckpt")
    assert (tmp_path / "health.csv").read_text() == whole
    assert said(capsys) == told[told_before:]


def test_a_new_run_in_an_old_folder_begins_a_new_file(tmp_path: Path) -> None:
    fit(tmp_path, ListedHealth([]), 2)
    fit(tmp_path, ListedHealth([]), 1)
    assert len((tmp_path / "health.csv").read_text().splitlines()) == 2


def test_a_trial_run_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(tmp_path, ListedHealth([0]), 1, fast_dev_run=True)
    assert not list(tmp_path.iterdir())
    assert said(capsys) == []


@pytest.mark.parametrize(("option", "value", "least"), [("patience", 0, 1), ("after", -1, 0), ("every", 0, 1)])
def test_bad_options_are_refused(option: str, value: int, least: int) -> None:
    with pytest.raises(ValueError, match=f"{option} must be at least {least}; got {value}"):
        ListedHealth(**{option: value})
