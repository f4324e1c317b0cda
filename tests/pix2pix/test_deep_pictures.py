"""The configurations for pictures that are not of 8 bits, from training to translated files, on generated data."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from inference import open_picture
from inference.pictures import Array
from pix2pix.__main__ import main
from tests.training.programs import the_run

SMALL = [
    *("--model.generator.base_channels=8", "--model.generator.levels=4", "--model.discriminator.base_channels=4"),
    *("--model.lr_generator=0.002", "--data.crop_size=64", "--data.batch_size=2", "--data.num_workers=0"),
    *("--trainer.max_epochs=30", "--samples.every_n_epochs=30", "--wandb=off"),
]
RANDOM = np.random.default_rng(0)


def cells(size: int) -> Array:
    """Blobs, in [0, 1]."""
    rows, columns = np.mgrid[:size, :size]
    blobs = [
        np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * r**2))
        for y, x, r in zip(
            RANDOM.uniform(0, size, 9), RANDOM.uniform(0, size, 9), RANDOM.uniform(4, 12, 9), strict=True
        )
    ]
    return np.clip(np.sum(blobs, 0), 0, 1)


@pytest.mark.slow
def test_microscopy_of_16_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for split in ("train", "val", "test"):
        for folder in ("brightfield", "fluorescence"):
            Path("data", folder, split).mkdir(parents=True)
        for name in "123":
            blobs = cells(96)
            bright = 2000 - 1500 * blobs + RANDOM.normal(0, 20, blobs.shape)
            for folder, values in ("brightfield", bright), ("fluorescence", 100 + 3900 * blobs):
                tifffile.imwrite(f"data/{folder}/{split}/{name}.tif", values.clip(0, 4095).astype(np.uint16))
    main(["fit", "--config", "microscopy16", "--data.root", "data", *SMALL])
    run, said = the_run("microscopy16"), capsys.readouterr().out
    assert "target: uint16, 0 to 4095 become -1 to 1" in said

    checkpoint = str(run / "checkpoints" / "best.ckpt")
    tifffile.imwrite("slide.tif", np.tile(bright, (4, 4)).astype(np.uint16), tile=(64, 64), compression="zlib")
    main(["translate", checkpoint, "slide.tif", "data/brightfield/test", "out", "--tile", "192"])
    said = capsys.readouterr().out
    assert "output: 1 x uint16, 0 to 4095" in said
    assert "4 pictures of 0.2 megapixels in " in said
    for name, size in ("slide", (384, 384)), ("1", (96, 96)):
        result = open_picture(Path("out", f"{name}.tif"))
        values = result.read()
        assert (result.size, result.dtype) == (size, np.uint16)
        assert len(np.unique(values)) > 256
        assert values.max() <= 4095


@pytest.mark.slow
def test_many_channels_of_floating_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for split in ("train", "val", "test"):
        for folder in "AB":
            Path("data", folder, split).mkdir(parents=True)
        for name in "123":
            truth = np.stack([cells(96), cells(96)]).astype(np.float32)
            seen = np.stack([-30 + 20 * truth[0], 250 + 50 * truth[1], *RANDOM.normal(0, 9, (3, 96, 96))])
            truth[:, :8, :8] = np.nan
            for folder, values in ("A", seen), ("B", truth):
                tifffile.imwrite(
                    f"data/{folder}/{split}/{name}.tif", values.astype(np.float32), photometric="minisblack"
                )
    main(["fit", "--config", "multichannel", "--data.root", "data", *SMALL])
    run, said = the_run("multichannel"), capsys.readouterr().out
    assert "of the training values are clipped" in said
    assert "target: float32, 0 to 1 become -1 to 1" in said

    new = seen.astype(np.float32)
    new[1, 50, 60] = np.nan
    tifffile.imwrite("new.tif", new, photometric="minisblack")
    main(["translate", str(run / "checkpoints" / "best.ckpt"), "new.tif", "result.tif"])
    result = open_picture(Path("result.tif")).read()
    assert (result.dtype, result.shape) == (np.float32, (96, 96, 2))
    assert np.argwhere(np.isnan(result)).tolist() == [[50, 60, 0], [50, 60, 1]]
    assert 0 <= np.nanmin(result) < np.nanmax(result) <= 1
