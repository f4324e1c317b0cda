"""Augmentation of what the discriminator sees, through which gradients pass."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from inference import Network

Change = Literal["color", "translation", "cutout"]


class DiffAugment(Network):
    """Random changes of all that D sees, real and made, in its own step and in G's (Zhao et al. 2020).

    With few pairs D knows the targets by heart; what it sees only changed, it cannot. G learns through the changes, and
    not to make them. Input and picture of a pair are moved and cut together; colors change in the picture alone.

    Args:
        changes: ``color`` (brightness by up to half of the range, saturation by a factor in [0, 2], contrast by one in
            [0.5, 1.5]), ``translation`` (by up to an eighth of each side, filled with 0) and ``cutout`` (a rectangle of
            half of each side is 0, anywhere).

    Raises:
        ValueError: none, or an unknown one.
    """

    def __init__(self, changes: Sequence[Change] = ("color", "translation", "cutout")) -> None:
        super().__init__()
        unknown = [change for change in changes if change not in get_args(Change)]
        if unknown or not changes:
            raise ValueError(f"changes must be of {', '.join(get_args(Change))}; got {', '.join(unknown) or 'none'}")
        self.changes = tuple(changes)

    def forward(self, source: Tensor, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Change inputs and the pictures beside them, both N x C x H x W in [-1, 1], each pair in its own way."""
        if "color" in self.changes:
            picture = change_color(picture)
        both = torch.cat([source, picture], 1)
        for change in self.changes:
            if change in MOVES:
                both = MOVES[change](both)
        changed, other = both.split([source.shape[1], picture.shape[1]], 1)
        return changed, other


def change_color(pictures: Tensor) -> Tensor:
    """Change brightness, saturation and contrast of each picture, N x C x H x W in [-1, 1]."""
    brightness, saturation, contrast = torch.rand(3, len(pictures), 1, 1, 1, device=pictures.device).to(pictures.dtype)
    pictures = pictures + (brightness - 0.5)
    gray = pictures.mean(1, keepdim=True)
    pictures = gray + 2 * saturation * (pictures - gray)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    return mean + (contrast + 0.5) * (pictures - mean)


def translate(pictures: Tensor) -> Tensor:
    """Move each picture by up to an eighth of its sides, rounded, and fill in 0."""
    count, _, height, width = pictures.shape
    down, right = (round(side / 8) for side in (height, width))
    padded = F.pad(pictures, (right, right, down, down))
    y = torch.randint(0, 2 * down + 1, (count, 1), device=pictures.device) + torch.arange(
        height, device=pictures.device
    )
    x = torch.randint(0, 2 * right + 1, (count, 1), device=pictures.device) + torch.arange(
        width, device=pictures.device
    )
    rows = padded.gather(2, y[:, None, :, None].expand(-1, padded.shape[1], -1, padded.shape[3]))
    return rows.gather(3, x[:, None, None, :].expand(-1, padded.shape[1], height, -1))


def cut_out(pictures: Tensor) -> Tensor:
    """Set a rectangle of half of each side to 0, whose center is anywhere in the picture."""
    count, _, height, width = pictures.shape

    def outside(side: int) -> Tensor:
        half = side // 4
        center = torch.randint(0, side, (count, 1), device=pictures.device)
        return (torch.arange(side, device=pictures.device) - center + 0.5).abs() > half

    kept = outside(height)[:, None, :, None] | outside(width)[:, None, None, :]
    return torch.where(kept, pictures, 0)


MOVES: Mapping[str, Callable[[Tensor], Tensor]] = {"translation": translate, "cutout": cut_out}
