from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inference import DataError, open_picture
from pix2pix import PatchDiscriminator, Pix2Pix, UNetGenerator
from pix2pix.callbacks import PredictionWriter
from tests.pix2pix.training import quiet_trainer


def write(folder: Path, names: list[str], channels: int = 3) -> Any:
    """Write the translations of inputs with these names, in one batch, and return them."""
    torch.manual_seed(0)
    model = Pix2Pix(UNetGenerator(3, channels, 4, levels=3), PatchDiscriminator(3 + channels, 4, layers=1)).eval()
    batch: Any = {"input": torch.rand(len(names), 3, 16, 24), "name": names}
    writer = PredictionWriter()
    trainer = quiet_trainer(default_root_dir=folder)
    writer.setup(trainer, model, "predict")
    prediction = model.predict_step(batch, 0)
    writer.write_on_batch_end(trainer, model, prediction, None, batch, 0, 0)
    return prediction


def test_every_translation_has_a_file_of_its_own_name(tmp_path: Path) -> None:
    outputs = write(tmp_path, ["kitchen.1", "kitchen.2"])
    for number, output in enumerate(outputs, 1):
        found = open_picture(tmp_path / "predictions" / f"kitchen.{number}.png").read()
        assert np.abs(found - (output.movedim(0, -1).numpy() + 1) * 127.5).max() <= 0.51


def test_what_png_does_not_hold_is_tiff(tmp_path: Path) -> None:
    write(tmp_path, ["a"], channels=5)
    assert open_picture(tmp_path / "predictions" / "a.tif").channels == 5


def test_no_translation_is_written_over_another(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^two pairs are called 1, and one translation would be lost: rename one"):
        write(tmp_path, ["1", "1"])
