import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pix2pix.metrics import ImageMetrics
from pix2pix.picture_metrics import interval_rows, measure_pictures


def test_l1_psnr_and_ssim_of_each_picture_by_hand() -> None:
    target = torch.zeros(3, 3, 16, 16)
    output = target + torch.tensor([0.2, 0.6, 0.0]).view(3, 1, 1, 1)  # in [0, 1] half as much
    found = measure_pictures(output, target, window=(-1000.0, 3000.0))
    assert_close(found["l1"], torch.tensor([0.1, 0.3, 0.0]))
    assert_close(found["mae_units"], torch.tensor([400.0, 1200.0, 0.0]))
    assert found["psnr"].tolist() == [pytest.approx(20), pytest.approx(-10 * math.log10(0.09)), math.inf]
    flat = [(2 * 0.5 * y + 1e-4) / (0.25 + y * y + 1e-4) for y in (0.6, 0.8, 0.5)]  # C1 is 0.01 squared
    assert found["ssim"].tolist() == pytest.approx(flat, abs=2e-4)  # variances are small differences in float32


@pytest.mark.parametrize("masked", [False, True])
def test_their_means_are_the_metrics_of_all_pictures(masked: bool) -> None:
    """Of as many known pixels in each; PSNR is of the mean of their squared errors."""
    output, target = torch.rand(2, 4, 3, 24, 24) * 2 - 1
    known = torch.ones(4, 1, 24, 24, dtype=torch.bool)
    for index in range(4):
        known[index, :, index : index + 9, :9] = False
    mask = known if masked else None
    metrics = ImageMetrics("")
    for part in (slice(0, 3), slice(3, 4)):
        metrics.update(output[part], target[part], known=None if mask is None else mask[part])
    found, expected = measure_pictures(output, target, known=mask), metrics.compute()
    for name in ("l1", "mae_units", "ssim"):
        assert_close(found[name].mean(), expected[name])
    assert_close(-10 * (10 ** (-found["psnr"] / 10)).mean().log10(), expected["psnr"])


def test_unknown_pixels_count_in_none_and_unknown_pictures_are_nan() -> None:
    output, target = torch.rand(2, 2, 3, 16, 16) * 2 - 1
    known = torch.ones(2, 1, 16, 16, dtype=torch.bool)
    known[0, :, :4] = False
    known[1] = False
    found = measure_pictures(output, target, known=known)
    output[0, :, :4] = torch.nan
    again = measure_pictures(output, target, known=known)
    for name, values in found.items():
        assert values[0] == again[name][0]
        assert values[0].isfinite()
        assert values[1].isnan()
    assert_close(found["l1"][0], (output - target)[0, :, 4:].abs().mean() / 2)


def test_they_are_of_float32_under_autocast() -> None:
    output, target = torch.rand(2, 2, 3, 24, 24) * 2 - 1
    expected = measure_pictures(output, target)
    with torch.autocast("cpu", torch.bfloat16):
        found = measure_pictures(output, target)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_intervals_are_about_two_standard_errors_wide_and_the_same_each_time() -> None:
    random = np.random.default_rng(1)
    l1, mse = random.normal(0.02, 0.004, 400), random.uniform(0.001, 0.003, 400)
    pictures = {"l1": l1.tolist(), "psnr": (-10 * np.log10(mse)).tolist(), "ssim": (1 - l1).tolist()}
    rows = interval_rows(pictures)
    low, high = rows["  95 % from"], rows["  95 % to"]
    error = l1.std() / 20
    for place, sign in ((low, -1.96), (high, 1.96)):
        assert place["l1"] == pytest.approx(l1.mean() + sign * error, abs=0.15 * error)
        mean, deviation = mse.mean(), mse.std() / 20
        assert 10 ** (-place["psnr"] / 10) == pytest.approx(mean - sign * deviation, abs=0.15 * deviation)
    assert low["ssim"] == pytest.approx(1 - high["l1"])
    assert interval_rows(pictures) == rows


def test_intervals_of_exact_copies_of_unknown_pictures_and_of_one() -> None:
    exact = {"l1": [0.0, 0.0, math.nan], "psnr": [math.inf, math.inf, math.nan], "ssim": [1.0, 1.0, math.nan]}
    for row in interval_rows(exact).values():
        assert row == {"l1": 0.0, "psnr": math.inf, "ssim": 1.0}
    assert interval_rows({name: values[1:] for name, values in exact.items()}) == {}
