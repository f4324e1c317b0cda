"""Signs between the outputs of G: they are all alike, or no nearer to their own targets than to others."""

import math
from collections.abc import Mapping

from torch import Tensor

from pix2pix.signs.outputs import OutputSign
from training.callbacks import Epoch


class ComparedOutputs(OutputSign):
    """Base of the signs that compare pairs with another one: the first of the validation, of each process."""

    def __init__(self) -> None:
        super().__init__()
        self._first: tuple[Tensor, Tensor] | None = None

    def start_validation(self) -> None:
        """Forget the first pair of the last validation."""
        self._first = None

    def measure(self, output: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        """Measure all pairs but the first, if they are of its size."""
        if self._first is None:
            self._first = output[:1], target[:1]
            output, target = output[1:], target[1:]
        if output.shape[1:] != self._first[0].shape[1:]:
            return {}
        return self.compare(output, target, *self._first)

    def compare(self, output: Tensor, target: Tensor, other_output: Tensor, other_target: Tensor) -> dict[str, Tensor]:
        """Measure pairs, perhaps none, beside another: N x C x H x W and 1 x C x H x W in [-1, 1]."""
        raise NotImplementedError


class LittleVariety(ComparedOutputs):
    r"""Outputs differ less from each other than their targets do: G looks little at its input.

    With the L1 distance and the first pair of the validation as 0, the value is
    :math:`\sum_i \lVert y_i - y_0 \rVert / \sum_i \lVert t_i - t_0 \rVert`: 0 if all outputs are one picture.

    Args:
        least: the value below which it is bad; None is never.
    """

    name = "variety"
    columns = ("variety",)
    averaged = ("between_outputs", "between_targets")

    def __init__(self, least: float | None) -> None:
        super().__init__()
        self.least = least

    def compare(self, output: Tensor, target: Tensor, other_output: Tensor, other_target: Tensor) -> dict[str, Tensor]:
        """Measure the distances between outputs, and between targets."""
        return {
            "between_outputs": _distances(output, other_output),
            "between_targets": _distances(target, other_target),
        }

    def values(self, epoch: Epoch) -> dict[str, float]:
        """Compare their means."""
        return {"variety": _ratio(epoch.means["between_outputs"], epoch.means["between_targets"])}

    def warning(self, values: Mapping[str, float]) -> str | None:
        """Compare with the limit."""
        if self.least is None or not values["variety"] < self.least:
            return None
        return (
            f"outputs differ {values['variety']:.2f} times as much as their targets: G gives nearly one picture for all "
            "inputs; lower --model.lr_generator, raise --model.lambda_l1, and look whether inputs and targets belong "
            "together"
        )


class NotTheirTargets(ComparedOutputs):
    r"""Outputs are no nearer to their own targets than to another: pairs are mixed up, or nothing was learned.

    With the L1 distance and the first pair of the validation as 0, the value is
    :math:`\sum_i \lVert y_i - t_i \rVert / \sum_i \lVert y_i - t_0 \rVert`.

    Args:
        most: the value above which it is bad; None is never.
    """

    name = "own target"
    columns = ("own_target",)
    averaged = ("to_own_target", "to_other_target")

    def __init__(self, most: float | None) -> None:
        super().__init__()
        self.most = most

    def compare(self, output: Tensor, target: Tensor, other_output: Tensor, other_target: Tensor) -> dict[str, Tensor]:
        """Measure the distances to both targets."""
        return {"to_own_target": _distances(output, target), "to_other_target": _distances(output, other_target)}

    def values(self, epoch: Epoch) -> dict[str, float]:
        """Compare their means."""
        return {"own_target": _ratio(epoch.means["to_own_target"], epoch.means["to_other_target"])}

    def warning(self, values: Mapping[str, float]) -> str | None:
        """Compare with the limit."""
        if self.most is None or not values["own_target"] > self.most:
            return None
        return (
            f"outputs are {values['own_target']:.2f} times as far from their own targets as from that of another "
            "input: targets belong to other inputs, or G learns nothing; look at pairs of the data, and at samples/"
        )


def _distances(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).abs().flatten(1).mean(1)


def _ratio(first: float, second: float) -> float:
    return first / second if second else math.nan
