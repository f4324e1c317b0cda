"""Surface normals: which way every pixel faces."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric, MetricCollection

from inference.pictures import write_picture
from losses import CosineLoss
from losses.convention import Loss
from losses.regression import RegressionLoss
from multitask.tasks.criterion import require
from multitask.tasks.task import Better, DenseHead, Task, Totals
from multitask.tasks.writing import Place

THRESHOLDS = (11.25, 22.5, 30.0)  # degrees
BINS_PER_DEGREE = 20


class Normals(Task):
    """Surface normals, by the cosine or another loss; measured by mean and median angle, and shares within degrees.

    The target is N x 3 x H x W, of unit length; all zeros mean unknown.

    Args:
        target: the key of the batch that holds the normals.
        width: channels of the head's hidden layer.
        loss: ``losses.CosineLoss``, or one of regression, such as ``losses.L1Loss``, which sees the predicted vectors
            at length 1; null for ``losses.CosineLoss``.
    """

    better: ClassVar[Mapping[str, Better]] = {
        "mean": "lower",
        "median": "lower",
        "within_11.25": "higher",
        "within_22.5": "higher",
        "within_30": "higher",
    }

    def __init__(self, target: str = "normals", width: int = 64, loss: Loss | None = None) -> None:
        super().__init__(target, width)
        self.criterion = loss or CosineLoss()
        kind = CosineLoss if isinstance(self.criterion, CosineLoss) else RegressionLoss
        require(self.criterion, kind, "CosineLoss or L1Loss")
        self.criterion = self.criterion.with_options(validate=False)
        self.likelihood = self.criterion.likelihood

    def build_head(self, channels: int) -> nn.Module:
        """Build a head that predicts a vector at every pixel; only its direction counts."""
        return DenseHead(channels, self.width, 3)

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compute the loss over pixels whose normal is known."""
        known = known_normals(target)
        loss: Tensor
        if isinstance(self.criterion, CosineLoss):
            loss = self.criterion(prediction, target, mask=known)
        else:
            loss = self.criterion(self.decode(prediction), target, mask=known.unsqueeze(1))
        return loss

    def count(self, target: Tensor) -> Totals:
        """Count the pixels, and those whose normal is known."""
        known = known_normals(target)
        return {"known": known.sum().cpu(), "pixels": torch.tensor(known.numel())}

    def start_from(self, totals: Totals, head: nn.Module) -> str:
        """Tell how many pixels are known."""
        return f"{float(totals['known'] / totals['pixels']):.1%} of the pixels known" if totals else "nothing known"

    def decode(self, prediction: Tensor) -> Tensor:
        """Return the vectors at length 1."""
        return F.normalize(prediction.float(), dim=1)

    def build_metrics(self) -> MetricCollection:
        """Build ``mean`` and ``median`` in degrees, and ``within_11.25``, ``within_22.5``, ``within_30`` in [0, 1]."""
        return MetricCollection({"angles": NormalAngles()})

    def measurable(self, target: Tensor) -> list[bool]:
        """Return in which pictures a normal is known."""
        known: list[bool] = known_normals(target).flatten(1).any(1).tolist()
        return known

    def baseline(self, targets: Iterable[Tensor]) -> Tensor:
        """Return the direction of the mean normal, 3 x 1 x 1."""
        total = torch.stack([target.sum((0, 2, 3), dtype=torch.float64).cpu() for target in targets]).sum(0)
        return F.normalize(total.float(), dim=0).view(3, 1, 1)

    def draw(self, values: Tensor, images: Tensor) -> Tensor:
        """Draw the three components as red, green and blue, from -1 (dark) to 1; unknown ones black."""
        pictures = (F.normalize(values.float(), dim=1) + 1) / 2
        return pictures * known_normals(values).unsqueeze(1)

    def files(self, place: Place, name: str) -> list[Path]:
        """Return KIND/NAME.png."""
        return [place.file(name, ".png")]

    def write(self, values: Tensor, place: Place, name: str) -> None:
        """Write the components as red, green and blue of 8 bits: 127 times the component, plus 128."""
        (file,) = self.files(place, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_picture(file, (127 * values + 128).round().movedim(0, -1).numpy().astype(np.uint8))


class NormalAngles(Metric):
    """Angles between predicted and true normals over all known pixels of all pictures.

    The median is exact to a twentieth of a degree: angles are counted, not kept.
    """

    full_state_update = False
    histogram: Tensor
    within: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("histogram", torch.zeros(180 * BINS_PER_DEGREE + 1, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("within", torch.zeros(len(THRESHOLDS), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Update the counts with predictions and targets, N x 3 x H x W."""
        known = known_normals(target)
        x, y = (F.normalize(normals.float(), dim=1) for normals in (prediction, target))
        # An arc cosine near 1 loses half of the digits; this keeps them.
        angles = 2 * torch.atan2(torch.linalg.vector_norm(x - y, dim=1), torch.linalg.vector_norm(x + y, dim=1))
        degrees = torch.rad2deg(angles)[known]
        self.histogram += torch.bincount((degrees * BINS_PER_DEGREE).long(), minlength=len(self.histogram))
        self.within += torch.stack([(degrees < threshold).sum() for threshold in THRESHOLDS])
        self.total += degrees.sum(dtype=torch.float64)

    def compute(self) -> dict[str, Tensor]:
        """Return the metrics by their names."""
        count = self.histogram.sum()
        median = torch.searchsorted(self.histogram.cumsum(0), (count + 1) // 2) / BINS_PER_DEGREE
        shares = {f"within_{t:g}": n / count for t, n in zip(THRESHOLDS, self.within, strict=True)}
        return {"mean": self.total / count, "median": median + 0.5 / BINS_PER_DEGREE, **shares}


def known_normals(normals: Tensor) -> Tensor:
    """Return where a normal is known: not all zeros, and no NaN."""
    return normals.square().sum(1) > 0
