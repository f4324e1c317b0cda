from pathlib import Path

import numpy as np
import pytest
import torch

from inference import open_picture
from tests.pix2pix.pictures import small_data
from tests.pix2pix.training import quiet_trainer, small_model
from training import SamplePictures


def test_grids_of_input_output_and_truth(tmp_path: Path) -> None:
    model, data = small_model(), small_data(tmp_path / "data")
    trainer = quiet_trainer(
        max_epochs=3,
        callbacks=[SamplePictures(count=2, every_n_epochs=2)],
        default_root_dir=tmp_path,
        limit_val_batches=1.0,
    )
    trainer.fit(model, datamodule=data)
    assert sorted(file.name for file in (tmp_path / "samples").iterdir()) == ["epoch_000.png", "epoch_002.png"]

    grid = open_picture(tmp_path / "samples" / "epoch_002.png").read()
    margin = grid.shape[1] - (2 * 18 + 2)  # with the titles
    assert grid.shape[0] == 3 * 18 + 2
    assert (grid[:, :margin].min(axis=(1, 2)) < 128).any()
    for column, index in enumerate((0, 1)):  # of three pictures, spread evenly
        pair, left = data.dataset("val")[0, index], margin + 2 + 18 * column
        with torch.no_grad():
            output = model.eval()(pair["input"][None])[0]
        for row, picture in enumerate((pair["input"], output, pair["target"])):
            shown = grid[2 + 18 * row : 18 + 18 * row, left : left + 16].transpose(2, 0, 1)
            assert np.abs(shown - ((picture / 2 + 0.5) * 255).numpy()).max() <= 0.51  # rounded


@pytest.mark.parametrize("option", ["count", "every_n_epochs"])
def test_bad_options_are_refused(option: str) -> None:
    with pytest.raises(ValueError, match=rf"samples\.{option} must be at least 1; got 0"):
        SamplePictures(**{option: 0})
