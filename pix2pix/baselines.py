"""Baselines: what can be done without training, which a trained generator has to beat."""

import torch
from torch import Tensor
from torch.nn import functional as F

from pix2pix.data import PairedImages
from pix2pix.data.module import PairDataset
from pix2pix.metrics import ImageMetrics

THUMBNAIL = 32


def measure_baselines(data: PairedImages) -> dict[str, dict[str, float]]:
    """Measure three ways to translate the test inputs that learn nothing.

    Copying the input (where it has the target's channels); the mean of the training targets; and the target of the
    training pair whose input is nearest (mean squared distance of thumbnails of 32 x 32). The training pictures are
    prepared as in evaluation; those of another size than the first are skipped.

    Returns:
        For each baseline its ``l1``, ``mae_units``, ``psnr`` and ``ssim`` over the test pairs.
    """
    train, test = data.dataset("train"), data.dataset("test")
    mean, thumbnails = _summarize(train)
    names = ("copy the input", "mean picture", "nearest in training")
    metrics = {name: ImageMetrics("", across_processes=False) for name in names}
    for index in range(len(test)):
        pair = test[0, index]
        source, target = pair["input"], pair["target"]
        nearest = (thumbnails - _thumbnail(source)).square().mean((1, 2, 3)).argmin()
        outputs = (source, mean, train[0, int(nearest)]["target"])
        for metric, output in zip(metrics.values(), outputs, strict=True):
            if output.shape == target.shape:
                known = pair["known"][None] if "known" in pair else None
                metric.update(output[None], target[None], data.formats.target.range, known)
    return {
        name: {key: value.item() for key, value in metric.compute().items()}
        for name, metric in metrics.items()
        if metric["l1"].update_called
    }


def _summarize(train: PairDataset) -> tuple[Tensor, Tensor]:
    """Return the mean target and the thumbnail of every input."""
    first = train[0, 0]
    total, count, thumbnails = torch.zeros_like(first["target"], dtype=torch.float64), 0, []
    for index in range(len(train)):
        pair = train[0, index]
        if pair["target"].shape == total.shape:
            total += pair["target"]
            count += 1
        thumbnails.append(_thumbnail(pair["input"]))
    return (total / count).float(), torch.stack(thumbnails)


def _thumbnail(picture: Tensor) -> Tensor:
    return F.interpolate(picture[None], size=(THUMBNAIL, THUMBNAIL), mode="area")[0]
