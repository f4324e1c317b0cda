from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch

from multitask import Depth, MultiTask, SmallEncoder
from multitask.data import DataError, Rooms
from training import PredictionWriter


def write(folder: Path, names: list[str]) -> None:
    """Write predictions of scenes with these names, in one batch."""
    torch.manual_seed(0)
    model = MultiTask(SmallEncoder(width=4, blocks=0), {"depth": Depth(width=4)}, channels=8).eval()
    batch = {"image": torch.rand(len(names), 3, 8, 12), "name": names}
    trainer = pl.Trainer(logger=False, default_root_dir=folder, accelerator="cpu")
    writer = PredictionWriter()
    writer.setup(trainer, model, "predict")
    writer.write_on_batch_end(trainer, model, model.predict_step(batch, 0), None, batch, 0, 0)


def test_every_scene_has_files_of_its_own_name(tmp_path: Path) -> None:
    write(tmp_path, ["data/test/*/kitchen.1", "data/test/*/kitchen.2", Rooms(None, "test")[3]["name"]])
    files = [f"{scene}.{end}" for scene in ("kitchen.1", "kitchen.2", "test-0003") for end in ("png", "pt")]
    assert sorted(file.name for file in (tmp_path / "predictions").iterdir()) == files
    first, second = (torch.load(tmp_path / "predictions" / f"kitchen.{n}.pt", weights_only=True) for n in (1, 2))
    assert first["depth"].shape == (1, 8, 12)
    assert not torch.equal(first["depth"], second["depth"])


def test_no_prediction_is_written_over_another(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^two samples are called 1, and one prediction would be lost: rename one"):
        write(tmp_path, ["day/1", "night/1"])
