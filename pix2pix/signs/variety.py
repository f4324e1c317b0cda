"""Signs between the outputs of G: they are all alike, or no nearer to their own targets than to others."""

import math
from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from pix2pix.signs.outputs import OutputSign
from training.callbacks import Epoch

SIDE = 32  # pictures are compared as means over a grid of so many rows and columns: of any size, in little memory
KEPT = 64  # pictures of a validation, at most, of each process


class ComparedOutputs(OutputSign):
    """Base of the signs that compare each output with other pictures: up to 64, spread evenly over the validation."""

    def __init__(self) -> None:
        super().__init__()
        self.start_validation()

    def start_validation(self) -> None:
        """Forget the pictures of the last validation."""
        self._seen, self._stride = 0, 1
        self._kept: list[Tensor] = []  # 2 x n x C x 32 x 32, of outputs and targets

    def measure(self, output: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        """Keep some of the pictures."""
        some = slice(-self._seen % self._stride, None, self._stride)
        self._kept.append(torch.stack([F.adaptive_avg_pool2d(each[some], SIDE) for each in (output, target)]))
        self._seen += len(output)
        while sum(each.shape[1] for each in self._kept) > KEPT:
            self._kept = [torch.cat(self._kept, 1)[:, ::2]]
            self._stride *= 2
        return {}

    def end_validation(self) -> Mapping[str, Tensor]:
        """Compare the pictures that were kept, each with all the others."""
        if not self._kept:
            return {}
        outputs, targets = torch.cat(self._kept, 1).flatten(2)
        return self.compare(outputs, targets)

    @abstractmethod
    def compare(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compare pictures, N x values of 32 x 32 means."""


class LittleVariety(ComparedOutputs):
    r"""Outputs differ less from each other than their targets do: G looks little at its input.

    With the L1 distance the value is
    :math:`\sum_{i \ne j} \lVert y_i - y_j \rVert / \sum_{i \ne j} \lVert t_i - t_j \rVert`: 0 if all outputs are one
    picture.

    Args:
        least: the value below which it is bad; None is never.
    """

    name = "variety"
    columns = ("variety",)
    averaged = ("between_outputs", "between_targets")

    def __init__(self, least: float | None) -> None:
        super().__init__()
        self.least = least

    def compare(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Measure the distances between outputs, and between targets."""
        return {
            "between_outputs": distances(outputs, outputs)[1],
            "between_targets": distances(targets, targets)[1],
        }

    def values(self, epoch: Epoch) -> dict[str, float]:
        """Compare their means."""
        return {"variety": _ratio(epoch.means["between_outputs"], epoch.means["between_targets"])}

    def warning(self, values: Mapping[str, float]) -> str | None:
        """Compare with the limit."""
        if self.least is None or not values["variety"] < self.least:
            return None
        return (
            f"outputs differ {values['variety']:.2f} times as much as their targets: G gives nearly one picture for "
            "all inputs; lower --model.lr_generator, raise --model.lambda_l1, and look whether inputs and targets "
            "belong together"
        )


class NotTheirTargets(ComparedOutputs):
    r"""Outputs are no nearer to their own targets than to others: pairs are mixed up, or nothing was learned.

    With the L1 distance and n pictures the value is :math:`(n - 1) \sum_i \lVert y_i - t_i \rVert / \sum_{i \ne j}
    \lVert y_i - t_j \rVert`: 1 if outputs know nothing of their targets.

    Args:
        most: the value above which it is bad; None is never.
    """

    name = "own target"
    columns = ("own_target",)
    averaged = ("to_own_target", "to_other_targets")

    def __init__(self, most: float | None) -> None:
        super().__init__()
        self.most = most

    def compare(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Measure the distances to the targets."""
        own, others = distances(outputs, targets)
        return {"to_own_target": own, "to_other_targets": others}

    def values(self, epoch: Epoch) -> dict[str, float]:
        """Compare their means."""
        return {"own_target": _ratio(epoch.means["to_own_target"], epoch.means["to_other_targets"])}

    def warning(self, values: Mapping[str, float]) -> str | None:
        """Compare with the limit."""
        if self.most is None or not values["own_target"] > self.most:
            return None
        return (
            f"outputs are {values['own_target']:.2f} times as far from their own targets as from those of other "
            "inputs: targets belong to other inputs, or G learns nothing; look at pairs of the data, and at samples/"
        )


def distances(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Return the L1 distances of pictures to those of the same place, and to all of other places.

    Args:
        one: N x V.
        other: the same.

    Returns:
        N, and N x N with NaN for the same place.
    """
    found = torch.cdist(one, other, p=1)
    return found.diagonal(), found.where(~torch.eye(len(found), dtype=torch.bool, device=found.device), torch.nan)


def _ratio(first: float, second: float) -> float:
    return first / second if second else math.nan
