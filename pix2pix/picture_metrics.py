"""How close each translated picture is to its target, and how sure that makes the metrics of all of them."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from inference.picture_table import Better
from inference.pictures import Array, Window
from pix2pix.metrics import EIGHT_BITS, float32_convolutions, known_similarity, unit_range

BETTER: Mapping[str, Better] = {"l1": "lower", "mae_units": "lower", "psnr": "higher", "ssim": "higher"}
DRAWS = 2000
PERCENTILES = (2.5, 97.5)


def measure_pictures(
    output: Tensor, target: Tensor, window: Window = EIGHT_BITS, known: Tensor | None = None
) -> dict[str, Tensor]:
    """Measure each picture of a batch by itself, as :class:`pix2pix.metrics.ImageMetrics` measures all of them.

    The mean of ``ssim`` over pictures is that of ``ImageMetrics``. So is the mean of ``l1`` and of ``mae_units`` where
    all pictures have as many known pixels; ``ImageMetrics`` has the mean over pixels. Its ``psnr`` is of the mean of
    the squared errors, and not the mean of the pictures' ``psnr``.

    Args:
        output: N x C x H x W in [-1, 1].
        target: the same.
        window: the values of the files that -1 and 1 stand for.
        known: N x 1 x H x W, False where a pixel does not count.

    Returns:
        ``l1``, ``mae_units``, ``psnr`` and ``ssim``: N numbers each, in float32. ``psnr`` is infinite for an exact
        copy; all are NaN for a picture of which nothing is known.
    """
    with torch.autocast(output.device.type, enabled=False), float32_convolutions():
        output, target = unit_range(output).float(), unit_range(target).float()
        counted = torch.ones_like(target, dtype=torch.bool) if known is None else known.expand_as(target)
        error = torch.where(counted, output - target, 0)
        count = counted.sum((1, 2, 3))
        l1, mse = (values.sum((1, 2, 3)) / count for values in (error.abs(), error.square()))
        if known is None:
            ssim = structural_similarity_index_measure(output, target, data_range=1.0, reduction="none")
            assert isinstance(ssim, Tensor), "a tuple is returned with the whole map alone"
        else:
            similar, measured = known_similarity(torch.where(known, output, target), target, known)
            ssim = torch.where(measured, similar, torch.nan)
        return {"l1": l1, "mae_units": l1 * (window[1] - window[0]), "psnr": -10 * mse.log10(), "ssim": ssim}


def interval_rows(pictures: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Return the ends of 95 % intervals, as rows of :func:`pix2pix.metrics.metrics_table`.

    They are percentiles of a bootstrap over pictures: of the values that a test set of as many pictures would have, if
    its pictures were drawn from these. ``l1`` and ``ssim`` are means over pictures, ``psnr`` is of the mean of their
    squared errors. The random numbers are the same each time.

    Args:
        pictures: ``l1``, ``psnr`` and ``ssim`` of each picture; those that are NaN do not count.

    Returns:
        Two rows; none for fewer than two pictures.
    """
    found = {name: np.array(pictures[name], dtype=np.float64) for name in ("l1", "psnr", "ssim")}
    found = {name: values[~np.isnan(values)] for name, values in found.items()}
    if min(map(len, found.values())) < 2:
        return {}
    ends = {name: _interval(found[name]) for name in ("l1", "ssim")}
    high, low = _interval(10 ** (-found["psnr"] / 10))  # the squared errors: a low one is a high PSNR
    with np.errstate(divide="ignore"):  # all pictures may be exact copies
        ends["psnr"] = (float(-10 * np.log10(low)), float(-10 * np.log10(high)))
    return {
        f"  95 % {word}": {name: pair[end] for name, pair in ends.items()} for end, word in enumerate(("from", "to"))
    }


def _interval(values: Array) -> tuple[float, float]:
    random = np.random.default_rng(0)
    means = [values[random.integers(len(values), size=len(values))].mean() for _ in range(DRAWS)]
    low, high = np.percentile(means, PERCENTILES)
    return float(low), float(high)
