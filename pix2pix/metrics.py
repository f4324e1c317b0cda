"""How close translated pictures are to their targets: L1, PSNR and SSIM."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MetricCollection
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure


class ImageMetrics(MetricCollection):
    """L1, PSNR and SSIM of pictures in [-1, 1], measured in [0, 1] and float32, whatever precision made them.

    ``l1`` is the mean absolute difference, 0 to 1; ``psnr`` is -10 log10 of the MSE of all pictures, in dB;
    ``ssim`` the mean over pictures of the structural similarity (Wang et al. 2004, Gaussian window of 11 pixels),
    at most 1.

    Args:
        prefix: what the names begin with: ``val/`` gives ``val/l1``, ``val/psnr``, ``val/ssim``.
        across_processes: whether the results are of all processes' pictures together, which must all compute them then.
    """

    def __init__(self, prefix: str, across_processes: bool = True) -> None:
        super().__init__(
            {
                "l1": MeanAbsoluteError(sync_on_compute=across_processes),
                "psnr": PeakSignalNoiseRatio(data_range=1.0, sync_on_compute=across_processes),
                "ssim": StructuralSimilarityIndexMeasure(data_range=1.0, sync_on_compute=across_processes),
            },
            prefix=prefix,
        )

    def update(self, output: Tensor, target: Tensor) -> None:  # type: ignore[override]
        """Update the metrics with pictures N x C x H x W in [-1, 1] and their targets."""
        # Outside autocast, and not in TF32: SSIM's convolutions are wrong in the second or first digit in these.
        with torch.autocast(output.device.type, enabled=False), float32_convolutions():
            super().update(unit_range(output).float(), unit_range(target).float())


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
