"""Small trainings, a few seconds each, whose losses the figures of the command line show."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from losses.classification import cross_entropy_loss
from losses.regression import l1_loss, mse_loss
from losses.weighting import UncertaintyWeighting

OUTLIERS = 0.1  # share of the training targets
SHAPES = 4
SIDE = 8


def train_shapes_classifier(*, steps: int = 100, seed: int = 0) -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    """Train a convolutional network with BatchNorm to tell bars, diagonals and squares apart, 8 x 8 pixels with noise.

    Args:
        steps: batches of 64 pictures.
        seed: draws the pictures, the network and the batches.

    Returns:
        The network in eval mode, and its mean cross-entropy on the 256 pictures that it was trained on.
    """
    with _seeded(seed):
        pictures, classes = _draw_shapes(256)
        network = nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(16 * (SIDE // 2) ** 2, SHAPES)),
        )
        optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
        for _ in range(steps):
            batch = torch.randint(len(pictures), (64,))
            _update(optimizer, cross_entropy_loss(network(pictures[batch]), classes[batch]))
    return network.eval(), lambda model: cross_entropy_loss(model(pictures), classes)


def train_with_outliers(
    losses: Mapping[str, Callable[[Tensor, Tensor], Tensor]], *, steps: int = 300, every: int = 10, seed: int = 0
) -> dict[str, list[float]]:
    """Train one network on a curve, a tenth of whose targets are far too high, once under each loss.

    Weights, data and batches are the same for all.

    Args:
        losses: names, and losses of (prediction, target).
        steps: batches of 256 points.
        every: how many batches lie between two measurements.
        seed: draws the data, the network and the batches.

    Returns:
        For each loss the mean absolute error on 200 points of the curve itself, without noise and outliers: before
        training, and then after every ``every`` batches.
    """
    return {name: _train_with_outliers(loss, steps, every, seed) for name, loss in losses.items()}


def _train_with_outliers(loss: Callable[[Tensor, Tensor], Tensor], steps: int, every: int, seed: int) -> list[float]:
    with _seeded(seed):
        network = _perceptron(1, 1)
        input = 2 * torch.rand(512, 1) - 1
        noisy = _curve(input) + 0.1 * torch.randn(512, 1)
        target = torch.where(torch.rand(512, 1) < OUTLIERS, noisy + 4, noisy)
        clean = torch.linspace(-1, 1, 200).unsqueeze(1)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        batches = torch.Generator().manual_seed(seed)  # of their own: a loss may draw, too
        history = []
        for step in range(steps + 1):
            if step % every == 0:
                with torch.no_grad():
                    history.append(l1_loss(network(clean), _curve(clean)).item())
            if step < steps:
                batch = torch.randint(len(input), (256,), generator=batches)
                _update(optimizer, loss(network(input[batch]), target[batch]))
                schedule.step()
    return history


def train_with_uncertainty(
    *, noises: Sequence[float] = (0.1, 0.3, 1.0), steps: int = 1000, every: int = 10, seed: int = 0
) -> dict[str, list[tuple[float, float]]]:
    r"""Train tasks of different noise on one trunk, weighted by their uncertainty.

    A weight goes to :math:`1 / 2L` (see :class:`losses.UncertaintyWeighting`), and the mean squared error :math:`L` of
    a task that is learned is the variance of its noise.

    Args:
        noises: the standard deviation of the noise in each task's targets.
        steps: batches of 128 points.
        every: how many batches lie between two measurements.
        seed: draws the data and the network.

    Returns:
        For each task the steps of the measurements, each with the weight that its loss had.
    """
    tasks = [f"noise {noise:g}" for noise in noises]
    weights: dict[str, list[tuple[float, float]]] = {task: [] for task in tasks}
    with _seeded(seed):
        network = _perceptron(1, len(tasks))
        weighting = UncertaintyWeighting(tasks, lr=1e-2)
        optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
        phases = torch.arange(len(tasks))  # one curve for each task
        for step in range(steps + 1):
            input = 2 * torch.rand(128, 1) - 1
            target = torch.sin(3 * input + phases) + torch.tensor(noises) * torch.randn(128, len(tasks))
            errors = mse_loss(network(input), target, reduction="none").mean(0)
            total = weighting(dict(zip(tasks, errors, strict=True)))
            if step % every == 0:
                for task, of_task in weights.items():
                    of_task.append((step, weighting.report()[f"weight/{task}"].item()))
            _update(optimizer, total)
            weighting.step()
    return weights


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw from a seed, and leave torch's own random numbers as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _perceptron(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))


def _curve(input: Tensor) -> Tensor:
    return torch.sin(4 * input)


def _draw_shapes(count: int) -> tuple[Tensor, Tensor]:
    """Draw horizontal bars, vertical bars, diagonals and squares at random places, in noise."""
    classes = torch.arange(count) % SHAPES
    pictures = 0.4 * torch.randn(count, 1, SIDE, SIDE)
    for picture, shape, place in zip(
        pictures, classes.tolist(), torch.randint(SIDE - 3, (count,)).tolist(), strict=True
    ):
        near = slice(place, place + 4)
        if shape == 0:
            picture[0, place] += 1
        elif shape == 1:
            picture[0, :, place] += 1
        elif shape == 2:
            picture[0].diagonal(place - 2).add_(1)
        else:
            picture[0, near, near] += 1
    return pictures, classes
