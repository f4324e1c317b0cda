from pathlib import Path

import pytest
import torch

from pix2pix.baselines import measure_baselines
from tests.pix2pix.pictures import small_data


def test_baselines_by_hand(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data")
    train, test = ([data.dataset(split)[0, i] for i in range(len(data.layout(split)))] for split in ("train", "test"))
    mean = torch.stack([pair["target"] for pair in train]).mean(0)
    nearest = [min(train, key=lambda pair: (pair["input"] - each["input"]).square().sum()) for each in test]
    l1 = lambda outputs: sum((o - p["target"]).abs().mean().item() for o, p in zip(outputs, test, strict=True)) / 6  # noqa: E731
    measured = measure_baselines(data)
    assert measured["copy the input"]["l1"] == pytest.approx(l1([pair["input"] for pair in test]), rel=1e-5)
    assert measured["mean picture"]["l1"] == pytest.approx(l1([mean] * 3), rel=1e-5)
    assert measured["nearest in training"]["l1"] == pytest.approx(l1([pair["target"] for pair in nearest]), rel=1e-5)
    assert all(set(row) == {"l1", "mae_units", "psnr", "ssim"} for row in measured.values())


def test_an_input_of_other_channels_cannot_be_copied(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data", input_channels=1)
    assert set(measure_baselines(data)) == {"mean picture", "nearest in training"}
