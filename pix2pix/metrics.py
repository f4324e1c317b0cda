"""How close translated pictures are to their targets: L1, PSNR and SSIM, and L1 in the data's own units."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MetricCollection
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure

from inference.pictures import Window

EIGHT_BITS: Window = (0.0, 255.0)


class ImageMetrics(MetricCollection):
    """L1, PSNR and SSIM of pictures in [-1, 1], measured in [0, 1] and float32, whatever precision made them.

    ``l1`` is the mean absolute difference, 0 to 1, and ``mae_units`` the same in the units of the files: of pictures of
    8 bits 255 times that. ``psnr`` is -10 log10 of the MSE of all pictures, in dB; ``ssim`` the mean over pictures of
    the structural similarity (Wang et al. 2004, Gaussian window of 11 pixels), at most 1.

    Args:
        prefix: what the names begin with: ``val/`` gives ``val/l1``, ``val/mae_units``, ``val/psnr``, ``val/ssim``.
        across_processes: whether the results are of all processes' pictures together, which must all compute them then.
    """

    def __init__(self, prefix: str, across_processes: bool = True) -> None:
        super().__init__(
            {
                "l1": MeanAbsoluteError(sync_on_compute=across_processes),
                "mae_units": ErrorInUnits(sync_on_compute=across_processes),
                "psnr": PeakSignalNoiseRatio(data_range=1.0, sync_on_compute=across_processes),
                "ssim": Similarity(data_range=1.0, sync_on_compute=across_processes),
            },
            prefix=prefix,
            compute_groups=False,  # updates differ: of known pixels alone, and of pictures
        )

    def update(self, output: Tensor, target: Tensor, window: Window = EIGHT_BITS, known: Tensor | None = None) -> None:  # type: ignore[override]
        """Update the metrics with pictures and their targets.

        Args:
            output: N x C x H x W in [-1, 1].
            target: the same.
            window: the values of the files that -1 and 1 stand for.
            known: N x 1 x H x W, False where a pixel does not count.
        """
        # Outside autocast, and not in TF32: SSIM's convolutions are wrong in the second or first digit in these.
        with torch.autocast(output.device.type, enabled=False), float32_convolutions():
            # Contiguous, as torchmetrics flattens them by a view; those of a network with channels last are not.
            output, target = (unit_range(each).float().contiguous() for each in (output, target))
            values = (output, target)
            if known is not None:
                everywhere = known.expand_as(target)
                values = output[everywhere], target[everywhere]
                output = torch.where(known, output, target)
            if values[0].numel():
                self["l1"].update(*values)
                self["mae_units"].update(*(value * (window[1] - window[0]) for value in values))
                self["psnr"].update(*values)
                self["ssim"].update(output, target, known)


class ErrorInUnits(MeanAbsoluteError):
    """The mean absolute error, under a name of its own."""


class Similarity(StructuralSimilarityIndexMeasure):
    """SSIM; where pixels are unknown, the mean of its map over those that are known."""

    similarity: Tensor
    total: Tensor

    def update(self, preds: Tensor, target: Tensor, known: Tensor | None = None) -> None:
        """Update the mean with pictures N x C x H x W in [0, 1].

        Args:
            preds: the pictures.
            target: their targets.
            known: N x 1 x H x W; False where a pixel does not count.
        """
        if known is None:
            super().update(preds, target)
            return
        means, measured = known_similarity(preds, target, known)
        self.similarity += means.sum()
        self.total += measured.sum()


def known_similarity(preds: Tensor, target: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means of SSIM's map over the known pixels of each picture, and which pictures have such pixels.

    Args:
        preds: N x C x H x W in [0, 1].
        target: the same.
        known: N x 1 x H x W.
    """
    _, similar = structural_similarity_index_measure(preds, target, data_range=1.0, return_full_image=True)
    counted = known.expand_as(similar)
    means = (similar * counted).sum((1, 2, 3)) / counted.sum((1, 2, 3)).clamp_min(1)
    return means, counted.flatten(1).any(1)


def metrics_table(pairs: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """Return a table to print: ``l1``, ``psnr`` and ``ssim`` of each row.

    Args:
        pairs: what was measured, the head of the first column.
        rows: the metrics by name.
    """
    lines = [f"{pairs:<20}      L1    PSNR    SSIM"]
    lines += [f"{name:<20}  {row['l1']:.4f}  {row['psnr']:6.2f}  {row['ssim']:.4f}" for name, row in rows.items()]
    return "\n".join(lines)


@contextmanager
def float32_convolutions() -> Iterator[None]:
    """Compute convolutions of float32 on a GPU in float32, and not in TF32 as torch does by default."""
    cudnn = torch.backends.cudnn
    allowed, cudnn.allow_tf32 = cudnn.allow_tf32, False
    try:
        yield
    finally:
        cudnn.allow_tf32 = allowed


def unit_range(pictures: Tensor) -> Tensor:
    """Map [-1, 1] to [0, 1], and what lies outside to its nearest end."""
    return (pictures / 2 + 0.5).clamp(0, 1)
