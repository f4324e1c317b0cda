"""pictures.csv, from the command line of both applications and from two processes."""

import csv
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from pix2pix import PairedImages
from tests.pix2pix.pictures import write_side_by_side
from tests.pix2pix.training import small_model
from tests.training.applications import quiet_trainer
from tests.training.programs import SILENCED, Program, metrics_of, the_run
from training.callbacks import PictureTable

pytestmark = SILENCED


def read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_fit_leaves_the_metrics_of_every_test_sample(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    program.main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    rows = read(the_run() / "pictures.csv")
    assert [row["name"] for row in rows] == ["test00", "test01", "test02"]
    means = {key: sum(float(row[key]) for row in rows) / 3 for key in rows[0] if key != "name"}
    same = {"pix2pix": ("l1", "mae_units", "ssim"), "multitask": ("depth/abs", "depth/rel", "seg/pixel_accuracy")}
    for key in same[program.name]:  # the scenes are of one size, and all of them is known
        ((_, value),) = metrics_of().series(f"test/{key}")
        assert means[key] == pytest.approx(value, rel=1e-5)
    if program.name == "pix2pix":
        lines = capsys.readouterr().out.splitlines()
        start = next(index for index, line in enumerate(lines) if line.startswith("this model"))
        model, low, high = (line.split()[-3:] for line in lines[start : start + 3])
        assert lines[start + 1].startswith("  95 % from ")
        assert all(float(one) < float(own) < float(other) for one, own, other in zip(low, model, high, strict=True))


class Tables(pl.Callback):
    """Writes what a process knows in the end."""

    def __init__(self, table: PictureTable, folder: Path) -> None:
        self.table, self.folder = table, folder

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        (self.folder / f"{trainer.global_rank}.txt").write_text(" ".join(name for name, _ in self.table.rows))


def test_two_processes_write_each_sample_once_in_the_order_of_the_split(tmp_path: Path) -> None:
    """Of unlike numbers of samples."""
    count = 5
    root = write_side_by_side(tmp_path / "data", train=2, val=1, test=count)
    tables = []
    several: dict[str, Any] = {"devices": 2, "strategy": "ddp_fork"}
    for name, options in (("several", several), ("one", {})):
        folder = tmp_path / name
        folder.mkdir()
        table = PictureTable()
        trainer = quiet_trainer(folder, callbacks=[table, Tables(table, folder)], **options)
        data = PairedImages(root, load_size=16, crop_size=16, batch_size=2, num_workers=0)
        torch.manual_seed(1)  # the same weights
        trainer.test(small_model(norm="none"), data, verbose=False)
        tables.append(read(folder / "pictures.csv"))
        assert (folder / "0.txt").read_text().split() == [f"test{index:02}" for index in range(count)]
    several_rows, one = tables
    assert (
        [row["name"] for row in several_rows] == [row["name"] for row in one] == [f"test{n:02}" for n in range(count)]
    )
    for ours, alone in zip(several_rows, one, strict=True):
        for key in ("l1", "psnr", "ssim"):
            assert float(ours[key]) == pytest.approx(float(alone[key]), rel=1e-5)
