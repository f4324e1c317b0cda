"""Depth: how far away every pixel is."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from inference.pictures import shade, to_picture, write_picture
from inference.pictures.files import whole_or_not_at_all
from losses import L1Loss
from losses.convention import Loss
from losses.regression import RegressionLoss
from multitask.tasks.criterion import require
from multitask.tasks.task import Better, DenseHead, Task, Totals
from multitask.tasks.writing import Place, Written, write_json

STEPS = 2**16 - 1  # of a picture of 16 bits
SHADES = torch.tensor(
    [[0.99, 0.91, 0.15], [0.37, 0.79, 0.38], [0.13, 0.57, 0.55], [0.23, 0.32, 0.55], [0.27, 0.0, 0.33]]
)


class Depth(Task):
    """Depth, by L1 or another loss; measured by absolute and relative error, RMSE, and pixels within a factor of 1.25.

    The target is N x 1 x H x W in meters (or inverse depth, whatever the data set has); 0 and NaN mean unknown.

    Args:
        target: the key of the batch that holds the depth.
        farthest: about the largest depth, in the unit of the target, > 0: what is drawn darkest.
        start: what an untrained head predicts, in the unit of the target, > 0; null for the mean of the training
            targets, and before that is known for a third of ``farthest``.
        width: channels of the head's hidden layer.
        loss: of predicted and true depths where these are known, such as ``losses.SILogLoss``, ``losses.BerHuLoss`` or
            a ``losses.SumLoss`` of ``losses.L1Loss`` and ``losses.GradientMatchingLoss``, with its options; null for
            ``losses.L1Loss``.
    """

    better: ClassVar[Mapping[str, Better]] = {"abs": "lower", "rel": "lower", "rmse": "lower", "delta_1.25": "higher"}

    def __init__(
        self,
        target: str = "depth",
        farthest: float = 10.0,
        width: int = 64,
        start: float | None = None,
        loss: Loss | None = None,
    ) -> None:
        super().__init__(target, width)
        for name, value in ("farthest", farthest), ("start", start):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0; got {value}")
        self.farthest = farthest
        self.start = start
        self.criterion = loss or L1Loss()
        require(self.criterion, RegressionLoss, "L1Loss or SILogLoss")
        self.criterion = self.criterion.with_options(validate=False)
        self.likelihood = self.criterion.likelihood

    def build_head(self, channels: int) -> nn.Module:
        """Build a head that predicts the depth at every pixel, at first about ``start``."""
        head = DenseHead(channels, self.width, 1)
        self.start_at(self.farthest / 3 if self.start is None else self.start, head)
        return head

    def start_at(self, depth: float, head: nn.Module) -> None:
        """Let a head that is not trained yet predict about a depth everywhere."""
        # L1 moves a bias by at most the learning rate per step: starting at 0 would take long.
        if isinstance(head, DenseHead):
            nn.init.constant_(cast(Tensor, head[-1].bias), depth)

    def count(self, target: Tensor) -> Totals:
        """Count the known pixels, and add up their depths."""
        known = known_depth(target)
        return {"pixels": known.sum().cpu(), "depths": target[known].sum(dtype=torch.float64).cpu()}

    def start_from(self, totals: Totals, head: nn.Module) -> str:
        """Start at the mean of the known depths, unless ``start`` is given."""
        if not totals.get("pixels"):
            return "nothing known"
        mean = float(totals["depths"] / totals["pixels"])
        if self.start is None:
            self.start_at(mean, head)
        return f"mean {mean:.4g}"

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compute the loss over pixels whose depth is known."""
        loss: Tensor = self.criterion(prediction, target, mask=known_depth(target))
        return loss

    def decode(self, prediction: Tensor) -> Tensor:
        """Return the prediction itself."""
        return prediction

    def build_metrics(self) -> MetricCollection:
        """Build ``abs`` and ``rmse`` in the unit of the target, ``rel``, and ``delta_1.25`` in [0, 1]."""
        return MetricCollection({"errors": DepthErrors()})

    def measurable(self, target: Tensor) -> list[bool]:
        """Return in which pictures a depth is known."""
        known: list[bool] = known_depth(target).flatten(1).any(1).tolist()
        return known

    def baseline(self, targets: Iterable[Tensor]) -> Tensor:
        """Return the mean depth."""
        counts = [self.count(target) for target in targets]
        depths, pixels = (torch.stack([each[name] for each in counts]).sum() for name in ("depths", "pixels"))
        return (depths / pixels).float()

    def draw(self, values: Tensor, images: Tensor) -> Tensor:
        """Draw near pixels light and far ones dark; unknown ones black."""
        return shade(values[:, 0].float() / self.farthest, SHADES) * known_depth(values)

    # --- files

    @property
    def unit(self) -> float:
        """The unit of written depths, the smallest power of ten in which 16 bits reach beyond twice ``farthest``."""
        return float(f"1e{math.ceil(math.log10(2 * self.farthest / STEPS))}")  # not 10**-3, which is not 0.001

    def files(self, place: Place, name: str) -> list[Path]:
        """Return KIND/NAME.png, and KIND_preview/NAME.png in colors."""
        return [place.file(name, ".png"), place._replace(kind=f"{place.kind}_preview").file(name, ".png")]

    def write(self, values: Tensor, place: Place, name: str) -> None:
        """Write the depth as a gray picture of 16 bits, in steps of ``unit``, and as it is drawn.

        Depths below 0 become 0, which is unknown, and those beyond 65535 steps end there.
        """
        file, preview = self.files(place, name)
        for each in file, preview:
            each.parent.mkdir(parents=True, exist_ok=True)
        steps = (values[0].double() / self.unit).round().clamp(0, STEPS).nan_to_num()
        write_picture(file, steps.numpy().astype(np.uint16)[..., None])
        with whole_or_not_at_all(preview) as unfinished:
            to_picture(self.draw(values[None], values[None])[0]).save(unfinished)

    def shared_files(self, place: Place) -> list[Path]:
        """Return KIND.json."""
        return [place.shared(".json")]

    def write_shared(self, place: Place, pictures: Sequence[Written]) -> None:
        """Write the unit, by the name of the option of ``Folders``."""
        write_json(place.shared(".json"), {"depth_unit": self.unit})


class DepthErrors(Metric):
    """Errors of depth over all known pixels of all pictures: abs, rel, rmse and delta_1.25."""

    full_state_update = False
    sums: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(4, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Update the sums with predictions and targets, N x 1 x H x W."""
        known = known_depth(target)
        target, prediction = torch.where(known, target, 1).double(), torch.where(known, prediction, 1).double()
        error = (prediction - target).abs()
        within = (prediction < 1.25 * target) & (target < 1.25 * prediction)
        sums = [error, error / target, error.square(), within]
        self.sums += torch.stack([(value * known).sum(dtype=torch.float64) for value in sums])
        self.count += known.sum()

    def compute(self) -> dict[str, Tensor]:
        """Return the metrics by their names."""
        absolute, relative, square, within = self.sums / self.count
        return {"abs": absolute, "rel": relative, "rmse": square.sqrt(), "delta_1.25": within}


def known_depth(depth: Tensor) -> Tensor:
    """Return where a depth is known: neither 0 nor NaN."""
    return depth > 0
