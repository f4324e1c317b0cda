"""FCOS, detection without anchors (Tian et al. 2019), at one resolution: its head, and the boxes of its places."""

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from losses import at_least_float32

RADIUS = 1.5  # of the middle of a box, in distances between places: the improved FCOS's center sampling
PRIOR = 0.01  # initial probability of a class, so that the many empty places do not dominate the first steps


class Places(NamedTuple):
    """What is predicted at P places, rows of a grid one after the other, of each of N pictures.

    Attributes:
        logits: N x P x C, one for each class.
        boxes: N x P x 4, (x1, y1, x2, y2) in pixels, around their place.
        centerness: N x P, logits of how near the place is to the middle of its box.
        centers: P x 2, (x, y) of the places in pixels; some may lie in padding, beyond ``size``.
        step: (x, y) between neighboring places in pixels.
        size: height and width of the pictures.
    """

    logits: Tensor
    boxes: Tensor
    centerness: Tensor
    centers: Tensor
    step: Tensor
    size: tuple[int, int]


class FCOSHead(nn.Module):
    """Two towers of convolutions on the same features: one for classes, one for boxes and center-ness.

    Args:
        channels: of the features.
        width: of the towers.
        depth: convolutions of each tower before the last.
        classes: how many.
        pool: how many features along each side are averaged to one place.
    """

    def __init__(self, channels: int, width: int, depth: int, classes: int, pool: int = 1) -> None:
        super().__init__()
        self.pool = pool
        self.classify = _tower(channels, width, depth, classes)
        self.locate = _tower(channels, width, depth, 5)
        nn.init.constant_(cast(Tensor, self.classify[-1].bias), -math.log(1 / PRIOR - 1))

    def forward(self, features: Tensor, size: tuple[int, int]) -> Places:
        """Predict from features N x channels x h x w of pictures of ``size``."""
        rows, columns = features.shape[2:]
        if self.pool > 1:
            features = F.avg_pool2d(features, self.pool, ceil_mode=True)
        grid = features.shape[2:]
        logits, located = (
            at_least_float32(tower(features)).flatten(2).transpose(1, 2) for tower in (self.classify, self.locate)
        )
        # Not torch.tensor(..., device=...), which waits for a GPU.
        step = self.pool * torch.stack([logits.new_full((), size[1] / columns), logits.new_full((), size[0] / rows)])
        sides = (torch.arange(side, device=step.device, dtype=step.dtype) + 0.5 for side in grid)
        y, x = torch.meshgrid(*sides, indexing="ij")
        centers = torch.stack([x, y], -1).flatten(0, 1) * step
        # Softplus and not the paper's exp, whose gradient grows with the box. A scale to learn, which the paper has for
        # each level of its pyramid, would add nothing here to the convolution's weights.
        near, far = (F.softplus(located[..., :4]) * step.repeat(2)).chunk(2, -1)
        boxes = torch.cat([centers - near, centers + far], -1)
        return Places(logits, boxes, located[..., 4], centers, step, size)


def assign(boxes: Tensor, centers: Tensor, step: Tensor) -> Tensor:
    """Assign a box to each place: the smallest one whose middle part contains the place.

    The middle part reaches RADIUS steps from the middle, and not beyond the box. So that no box goes without, the place
    nearest to its middle is a box's own, also outside of it; the smaller box's where two boxes have the same.

    Args:
        boxes: M x 4, (x1, y1, x2, y2) in pixels, x1 < x2 and y1 < y2.
        centers: P x 2, (x, y) of the places.
        step: (x, y) between neighboring places.

    Returns:
        P indices of boxes; -1 is a place without one.
    """
    if not len(boxes):
        return torch.full((len(centers),), -1, device=centers.device)
    points, area = centers.unsqueeze(1), (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    offset = (points - (boxes[:, :2] + boxes[:, 2:]) / 2).abs() / step  # P x M x 2
    inside = (offset <= RADIUS).all(-1) & ((points > boxes[:, :2]) & (points < boxes[:, 2:])).all(-1)
    cost = torch.where(inside, area, math.inf)
    nearest = offset.square().sum(-1).argmin(0)
    cost[nearest, torch.arange(len(boxes), device=boxes.device)] = area - area.max() - 1  # below any area
    least, box = cost.min(1)
    return torch.where(least < math.inf, box, -1)


def centerness(boxes: Tensor, centers: Tensor) -> Tensor:
    r"""Compute how near places are to the middles of boxes.

    Of the distances to the four sides it is
    :math:`\sqrt{\frac{\min(l, r)}{\max(l, r)} \cdot \frac{\min(t, b)}{\max(t, b)}}`.

    Args:
        boxes: ... x 4, (x1, y1, x2, y2), x1 < x2 and y1 < y2.
        centers: ... x 2, (x, y).

    Returns:
        In [0, 1]: 1 in the middle, 0 on an edge and outside.
    """
    near, far = centers - boxes[..., :2], boxes[..., 2:] - centers
    return (torch.minimum(near, far) / torch.maximum(near, far)).clamp_min(0).prod(-1).sqrt()


def _tower(channels: int, width: int, depth: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for layer in range(depth):
        inputs = width if layer else channels
        layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    last = nn.Conv2d(width if depth else channels, outputs, 3, padding=1)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(cast(Tensor, last.bias))
    return nn.Sequential(*layers, last)
