"""What weightings cost beside equal weights, in operations and time: a table of docs/benchmarks.md."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
from gradnorm_pytorch import GradNormLossWeighter
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.deeplab import CHANNELS, DeepLab
from benchmarks.machine import machine, now
from losses import (
    DBMTL,
    FAMO,
    IMTLL,
    STCH,
    AggregatedGradients,
    AnalyticUncertainty,
    DynamicWeightAverage,
    FixedWeighting,
    GeometricMean,
    GradNorm,
    MatchedGradients,
    RandomWeighting,
    UncertaintyWeighting,
    Weighting,
)

ROUNDS = 15
PICTURES = (2, 3, 96, 96)
TASKS = tuple(CHANNELS)


@dataclass(frozen=True)
class Method:
    """A way to weigh the tasks: one step of it, without the optimizer's."""

    name: str
    step: Callable[[DeepLab, Tensor], object]
    most_time: float | None = None  # beside equal weights
    most_operations: float | None = None


def ours(weighting: Weighting) -> Callable[[DeepLab, Tensor], None]:
    """A step with one of our weightings."""
    return lambda network, images: network.step(weighting, images)


def gradients_per_task(network: DeepLab, images: Tensor) -> Tensor:
    """What GradNorm is without hooks: each task back-propagated to W, then all at once; without its weights' step."""
    losses = network.losses(dict.fromkeys(TASKS, network.trunk(images)))
    norms = [torch.autograd.grad(loss, network.last.weight, retain_graph=True)[0].norm() for loss in losses.values()]
    torch.stack(list(losses.values())).sum().backward()
    return torch.stack(norms)


def gradnorm_pytorch(network: DeepLab) -> Callable[[DeepLab, Tensor], Tensor]:
    """The package of this name."""
    weighter = GradNormLossWeighter(
        num_losses=len(TASKS), restoring_force_alpha=1.5, grad_norm_parameters=network.last.weight
    )

    def step(network: DeepLab, images: Tensor) -> Tensor:
        losses = network.losses(dict.fromkeys(TASKS, network.trunk(images)))
        return weighter.backward(list(losses.values()))

    return step


def methods(network: DeepLab) -> list[Method]:
    """Equal weights first."""
    return [
        Method("equal weights", ours(FixedWeighting(TASKS))),
        Method(
            "`UncertaintyWeighting`",
            ours(UncertaintyWeighting({"seg": "categorical", "depth": "laplace", "normals": "gaussian"})),
        ),
        Method("`AnalyticUncertainty`", ours(AnalyticUncertainty(TASKS))),
        Method("`IMTLL`", ours(IMTLL(TASKS))),
        Method("`GeometricMean`", ours(GeometricMean(TASKS))),
        Method("`DynamicWeightAverage`", ours(DynamicWeightAverage(TASKS))),
        Method("`STCH`", ours(STCH(TASKS))),
        Method("`RandomWeighting`", ours(RandomWeighting(TASKS))),
        Method("`FAMO`, with its second forward pass", ours(FAMO(TASKS))),
        Method("`GradNorm`", ours(GradNorm(TASKS)), most_time=1.10, most_operations=1.05),
        Method("`DBMTL`", ours(DBMTL(TASKS))),
        Method("`MatchedGradients`", ours(MatchedGradients(TASKS, reference=TASKS[0]))),
        Method("`AggregatedGradients`, UPGrad", ours(AggregatedGradients(TASKS, aggregator="UPGrad"))),
        Method("GradNorm's norms by a backward pass per task", gradients_per_task),
        Method("gradnorm-pytorch", gradnorm_pytorch(network)),
    ]


def operations(method: Method, network: DeepLab, images: Tensor) -> int:
    """Floating point operations of a step."""
    network.zero_grad()
    with FlopCounterMode(display=False) as counter:
        method.step(network, images)
    return counter.get_total_flops()


def seconds(method: Method, network: DeepLab, images: Tensor) -> float:
    """Time of a step."""
    network.zero_grad()
    start = now(images.device)
    method.step(network, images)
    return now(images.device) - start


def row(method: Method, counts: tuple[int, int], times: list[tuple[float, float]]) -> str:
    """The method's line of the table, from its numbers and those of equal weights beside them."""
    count = counts[0] / counts[1]
    low, ratio, high = statistics.quantiles([mine / equal for mine, equal in times], n=4)
    targets = (method.most_operations, method.most_time)
    if None in targets:
        asked, met = "", ""
    else:
        asked = f"{method.most_operations:.2f}, {method.most_time:.2f}"
        met = "yes" if count <= method.most_operations and ratio <= method.most_time else "no"
    median = statistics.median(mine for mine, _ in times)
    return (
        f"| {method.name} | {count:.3f} | {1e3 * median:.0f} ms "
        f"| **{ratio:.2f}** ({low:.2f} to {high:.2f}) | {asked} | {met} |"
    )


def report(device: torch.device) -> str:
    """Measure everything, in one run."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network, images = DeepLab().to(device), torch.randn(PICTURES, device=device)
    with device:  # the state of the weightings, too
        all_methods = methods(network)
    counts = [operations(method, network, images) for method in all_methods]  # and a first step, which does not count
    rounds = []
    for number in range(ROUNDS):
        order = range(len(all_methods)) if number % 2 else reversed(range(len(all_methods)))
        times = {place: seconds(all_methods[place], network, images) for place in order}
        rounds.append(times)
    lines = [
        machine("torchvision", "gradnorm-pytorch", "torchjd", device=device),
        "",
        "| weighting | operations | time | time beside equal weights (quartiles) | at most | met |",
        "|---|---|---|---|---|---|",
    ]
    for place, method in enumerate(all_methods):
        lines.append(row(method, (counts[place], counts[0]), [(times[place], times[0]) for times in rounds]))
    return "\n".join(lines)
