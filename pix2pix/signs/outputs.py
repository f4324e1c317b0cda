"""Signs in single outputs of G: saturated, constant, or with a grid on them."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from training.callbacks import Epoch, Sign

SATURATED = 0.99  # of values in [-1, 1]
CONSTANT = 0.05  # of the target's standard deviation
BLOCK, PERIOD = 8, 4  # pixels; patterns of 2 are of 4 as well
FLAT = 0.02  # standard deviation of a block of the target, of values in [-1, 1]: 2.5 of 255 gray levels
GRAY_LEVELS = 127.5  # in 1, of values in [-1, 1]


class OutputSign(Sign):
    """Base of the signs in the outputs of validation, beside their targets."""

    def in_validation(self, output: Any, batch: Any) -> Mapping[str, Tensor]:
        """Measure the outputs; where a target is unknown, an output is as the target there."""
        output, target = output.float(), batch["target"].float()
        if "known" in batch:
            output = torch.where(batch["known"], output, target)
        return self.measure(output, target)

    @abstractmethod
    def measure(self, output: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        """Measure pictures N x C x H x W in [-1, 1], float32."""


class Saturation(OutputSign):
    """Outputs are at an end of the range, -1 or 1, where their targets are not: the tanh at G's end is saturated.

    The value is the share of :func:`saturated_share`, the mean over pictures.

    Args:
        most: the share above which it is bad; None is never.
    """

    name = "saturated"
    columns = averaged = ("saturated",)
    explains = ("constant", "variety", "own target", "checkerboard")

    def __init__(self, most: float | None) -> None:
        super().__init__()
        self.most = most

    def measure(self, output: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        """Measure the share of each picture."""
        return {"saturated": saturated_share(output, target)}

    def values(self, epoch: Epoch) -> dict[str, float]:
        """Return the mean share."""
        return {"saturated": epoch.means["saturated"]}

    def warning(self, values: Mapping[str, float]) -> str | None:
        """Compare with the limit."""
        if self.most is None or not values["saturated"] > self.most:
            return None
        return (
            f"{100 * values['saturated']:.0f} % of what G should give between black and white is black or white: its "
            "tanh is saturated and passes no gradients on; lower --model.lr_generator and begin again"
        )


def saturated_share(output: Tensor, target: Tensor) -> Tensor:
    r"""Return which share of the values with :math:`|t| \le 0.99` in a target has :math:`|y| > 0.99` in the output.

    So a white background, which is 1 in the target as well, does not count.

    Args:
        output: N x C x H x W in [-1, 1].
        target: the same.

    Returns:
        N shares; NaN for a target that is nothing but -1 and 1.
    """
    inside = target.abs() <= SATURATED
    wrong = inside & (output.abs() > SATURATED)
    return wrong.flatten(1).sum(1) / inside.flatten(1).sum(1)


class ConstantOutputs(OutputSign):
    """Outputs are of one color, or not finite, while their targets are pictures: G is dead.

    The value is the share of such pictures (see :func:`is_constant`).

    Args:
        most: the share above which it is bad; None is never.
    """

    name = "constant"
    columns = averaged = ("constant",)
    explains = ("variety", "own target")

    def __init__(self, most: float | None) -> None:
        super().__init__()
        self.most = most

    def measure(self, output: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        """Look at each picture."""
        return {"constant": is_constant(output, target)}

    def values(self, epoch: Epoch) -> dict[str, float]:
        """Return the share."""
        return {"constant": epoch.means["constant"]}

    def warning(self, values: Mapping[str, float]) -> str | None:
        """Compare with the limit."""
        if self.most is None or not values["constant"] > self.most:
            return None
        return (
            f"{100 * values['constant']:.0f} % of the outputs are of one color or not finite: G is dead; lower "
            "--model.lr_generator and begin again"
        )


def is_constant(output: Tensor, target: Tensor) -> Tensor:
    """Return for which pictures the output's standard deviation is below 5 % of the target's.

    That is over pixels, averaged over channels.

    Args:
        output: N x C x H x W in [-1, 1].
        target: the same.

    Returns:
        N times 1, also where the output is not finite, or 0; NaN where the target is constant.
    """
    made, wanted = (pictures.flatten(2).std(2, correction=0).mean(1) for pictures in (output, target))
    return torch.where(wanted > 0, (~(made >= CONSTANT * wanted)).float(), torch.nan)


class Checkerboard(OutputSign):
    r"""Outputs have a grid of 2 or 4 pixels on them, as up-sampling leaves one.

    The value is the grid's root mean square, in gray levels of 255, where the target is flat (see :func:`grid_energy`).

    Args:
        most: the gray levels above which it is bad; None is never.
    """

    name = "checkerboard"
    columns = ("checkerboard",)
    averaged = ("grid", "noise")

    def __init__(self, most: float | None) -> None:
        super().__init__()
        self.most = most

    def measure(self, output: Tensor, target: Tensor) -> Mapping[str, Tensor]:
        """Measure the energies of each flat block, if there is room for one."""
        if min(output.shape[2:]) < BLOCK:
            return {}
        grid, rest = grid_energy(output, target)
        return {"grid": grid, "noise": rest}

    def values(self, epoch: Epoch) -> dict[str, float]:
        """Take off what noise alone would have: each of the 15 frequencies of a grid as much as of the other 48."""
        excess = epoch.means["grid"] - epoch.means["noise"] * (PERIOD**2 - 1) / (BLOCK**2 - PERIOD**2)
        return {"checkerboard": GRAY_LEVELS * math.sqrt(max(excess, 0.0)) if not math.isnan(excess) else math.nan}

    def warning(self, values: Mapping[str, float]) -> str | None:
        """Compare with the limit."""
        if self.most is None or not values["checkerboard"] > self.most:
            return None
        return (
            f"outputs have a grid of 2 or 4 pixels, of {values['checkerboard']:.1f} in 255 gray levels, where targets "
            "are flat: a checkerboard of up-sampling; train longer, or take --model.generator.init_args.upsampling "
            "resize"
        )


def grid_energy(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    r"""Split the energy of the output in flat blocks of the target into that of a grid and the rest.

    Blocks are of 8 x 8 pixels. The mean :math:`p` over the four places of each block that are 4 pixels apart is all
    of it that repeats every 2 or 4 pixels; the energies are the variances of :math:`p` and of what is left.

    Args:
        output: N x C x H x W in [-1, 1].
        target: the same.

    Returns:
        Both energies, of N x C x (H // 8) x (W // 8) blocks; NaN where the target has a standard deviation above 0.02.
    """
    height, width = (size - size % BLOCK for size in output.shape[2:])
    blocks, wanted = (
        pictures[:, :, :height, :width].unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK)).transpose(3, 4)
        for pictures in (output, target)
    )  # N x C x rows x columns x 8 x 8
    flat = wanted.flatten(-2).std(-1, correction=0) <= FLAT
    repeated = blocks.unflatten(-1, (-1, PERIOD)).unflatten(-3, (-1, PERIOD)).mean((-4, -2))
    grid = repeated.flatten(-2).var(-1, correction=0)
    rest = blocks.flatten(-2).var(-1, correction=0) - grid
    return torch.where(flat, grid, torch.nan), torch.where(flat, rest, torch.nan)
