"""A small network of three tasks, and batches for it."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from losses import Weighting

TASKS = ("a", "b", "c")
SCALES = {"a": 1.0, "b": 10.0, "c": 0.1}


class Network(nn.Module):
    """A trunk that ends in a residual block, whose convolution holds W, and a head for each task."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.last = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.heads = nn.ModuleDict({task: nn.Sequential(nn.Conv2d(4, 2, 1), nn.Tanh()) for task in TASKS})

    def features(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        return torch.relu(self.norm(self.last(x)) + x)

    def losses(self, views: Mapping[str, Tensor], target: Tensor, tasks: tuple[str, ...] = TASKS) -> dict[str, Tensor]:
        return {task: SCALES[task] * (self.heads[task](views[task]) - target).square().mean() for task in tasks}

    def total(self, weighting: Weighting, images: Tensor, target: Tensor, tasks: tuple[str, ...] = TASKS) -> Tensor:
        return weighting(self.losses(weighting.branch(self.features(images), self.last.weight), target, tasks))


def batch(seed: int = 0, size: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(size, 3, 5, 5, dtype=torch.float64, generator=generator),
        torch.randn(size, 2, 5, 5, dtype=torch.float64, generator=generator),
    )
