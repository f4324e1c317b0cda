"""The toy example of the GradNorm paper (Chen et al. 2018, section 4): regressions that differ only in scale."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from losses import FixedWeighting, GradNorm, UncertaintyWeighting, Weighting, mse_loss

INPUTS, OUTPUTS, WIDTH = 250, 100, 100
BATCH, TEST = 100, 1000
METHODS: Mapping[str, Callable[[Sequence[str]], Weighting]] = {
    "equal weights": FixedWeighting,
    "uncertainty": lambda tasks: UncertaintyWeighting(dict.fromkeys(tasks, "gaussian"), lr=0.025),
    "GradNorm": lambda tasks: GradNorm(tasks, alpha=0.12, lr=0.025),
}


def toy(out: Path = Path("runs/toy"), seeds: int = 3, steps: int = 3000) -> None:
    """Run the toy example of the GradNorm paper: equal weights, uncertainty and GradNorm on 2 and on 10 regressions.

    The regressions are alike but for their scale: 1 and 100, or ten that are drawn. What is compared is the sum of the
    test losses, each as a part of what it was before training; so every task counts the same, and the number of tasks
    is what an untrained network scores. All methods see the same data and start from the same network. Ten to twenty
    minutes on one core.

    Args:
        out: folder of the results: toy.md, a table, and toy.png, the losses and GradNorm's weights over the steps.
        seeds: runs of each method, at least 1, on other data and from other networks.
        steps: of each training, at least 1; batches of 100.
    """
    for name, value in ("seeds", seeds), ("steps", steps):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}")
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # small networks gain nothing from more, and the sums would depend on their number
    runs: Runs = {}
    for tasks in (2, 10):
        for method, make in METHODS.items():
            runs[tasks, method] = []
            for seed in range(seeds):
                run = train(Problem(tasks, seed), make, steps, seed)
                print(f"{tasks} tasks, {method}, seed {seed}: {run.losses[-1]:.3f}", flush=True)
                runs[tasks, method].append(run)
    table = tabulate(runs)
    (out / "toy.md").write_text(table, encoding="utf-8")
    draw(runs, out / "toy.png")
    print(f"\n{table}\n{out / 'toy.md'}\n{out / 'toy.png'}")


# --- the experiment


class Problem:
    r"""Regressions :math:`f_i(x) = \sigma_i \tanh((B + \epsilon_i) x)` from 250 numbers to 100.

    The elements of :math:`B`, which all tasks share, have the variance 10, those of :math:`\epsilon_i` 3.5. Inputs have
    unit length. The paper says neither how they are drawn nor whether 10 and 3.5 are variances.

    Args:
        tasks: 2 have the scales 1 and 100; any other number has scales drawn as 50 times the absolute value of a
            normal number, and sorted.
        seed: draws them and the matrices.
    """

    def __init__(self, tasks: int, seed: int) -> None:
        generator = Generator().manual_seed(seed)
        shared = math.sqrt(10) * torch.randn(OUTPUTS, INPUTS, generator=generator)
        own = math.sqrt(3.5) * torch.randn(tasks, OUTPUTS, INPUTS, generator=generator)
        self.matrices = shared + own
        drawn = 50 * torch.randn(tasks, generator=generator).abs().sort().values
        self.scales = torch.tensor([1.0, 100.0]) if tasks == 2 else drawn

    def inputs(self, count: int, generator: Generator) -> Tensor:
        """Draw points of unit length, count x 250."""
        return nn.functional.normalize(torch.randn(count, INPUTS, generator=generator), dim=1)

    def targets(self, inputs: Tensor) -> Tensor:
        """Compute the functions of points N x 250: T x N x 100."""
        return self.scales.view(-1, 1, 1) * torch.tanh(inputs @ self.matrices.mT)


class Network(nn.Module):
    """Four layers of 100 units with ReLU that all tasks share, and an affine layer for each task."""

    def __init__(self, tasks: int) -> None:
        super().__init__()
        layers = [nn.Linear(inputs, WIDTH) for inputs in (INPUTS, WIDTH, WIDTH, WIDTH)]
        self.trunk = nn.Sequential(*(module for layer in layers for module in (layer, nn.ReLU())))
        self.last_shared = layers[-1].weight
        self.heads = nn.ModuleList(nn.Linear(WIDTH, OUTPUTS) for _ in range(tasks))


@dataclass
class Run:
    """What was measured in a run, at the steps in ``steps``: the sum of loss ratios, and each task's weight."""

    scales: list[float]
    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    weights: list[list[float]] = field(default_factory=list)


def train(problem: Problem, make: Callable[[Sequence[str]], Weighting], steps: int, seed: int) -> Run:
    """Train a network on fresh data; the seed determines its initial weights and the data."""
    names = [str(task) for task in range(len(problem.scales))]
    weighting = make(names)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(len(names))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    data = Generator().manual_seed(seed + 1_000_000)  # not the numbers that the problem is made of
    test = problem.inputs(TEST, data)
    truth = problem.targets(test)
    run = Run(problem.scales.tolist())
    first = _test_losses(network, test, truth)
    for step in range(steps + 1):
        if step % max(steps // 100, 1) == 0 or step == steps:
            report = weighting.report()  # empty before the first step, when all weigh 1
            run.steps.append(step)
            run.losses.append((_test_losses(network, test, truth) / first).sum().item())
            run.weights.append([float(report.get(f"weight/{name}", 1.0)) for name in names])
        if step < steps:
            inputs = problem.inputs(BATCH, data)
            views = weighting.branch(network.trunk(inputs), network.last_shared)
            targets = problem.targets(inputs)
            heads = zip(names, network.heads, targets, strict=True)
            total = weighting({name: mse_loss(head(views[name]), target) for name, head, target in heads})
            optimizer.zero_grad()
            total.backward()
            weighting.step()
            optimizer.step()
    return run


@torch.no_grad()
def _test_losses(network: Network, inputs: Tensor, targets: Tensor) -> Tensor:
    features = network.trunk(inputs)
    return torch.stack([mse_loss(head(features), target) for head, target in zip(network.heads, targets, strict=True)])


# --- the report

Runs = dict[tuple[int, str], list[Run]]  # by the number of tasks and the method; a run for each seed


def tabulate(runs: Runs) -> str:
    """Write the mean and the standard deviation over the seeds as a Markdown table, a row for each method."""
    counts = sorted({tasks for tasks, _ in runs})
    rows = [["sum of test loss ratios", *(f"{tasks} tasks" for tasks in counts)], ["---"] * (1 + len(counts))]
    for method in dict.fromkeys(method for _, method in runs):
        rows.append([method])
        for tasks in counts:
            ends = [run.losses[-1] for run in runs[tasks, method]]
            deviation = f" +- {statistics.stdev(ends):.3f}" if len(ends) > 1 else ""
            rows[-1].append(f"{statistics.mean(ends):.3f}{deviation}")
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def draw(runs: Runs, file: Path) -> None:
    """Draw a row for each number of tasks: the loss of each method, mean and range of the seeds; GradNorm's weights."""
    from matplotlib import colormaps  # here: the experiment needs no matplotlib

    from losses.figures.style import logarithmic_if_wide, new_panels

    counts = sorted({tasks for tasks, _ in runs})
    figure, panels = new_panels(2, rows=len(counts))
    for row, tasks in enumerate(counts):
        losses, weights = panels[2 * row : 2 * row + 2]
        for method in dict.fromkeys(method for _, method in runs):
            seeds = runs[tasks, method]
            values = torch.tensor([run.losses for run in seeds])
            (line,) = losses.plot(seeds[0].steps, values.mean(0), label=method)
            low, high = values.amin(0), values.amax(0)
            losses.fill_between(seeds[0].steps, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        losses.set_title(f"{tasks} tasks")
        losses.set_ylabel("sum of test losses, each / its first")
        losses.legend()
        run = runs[tasks, "GradNorm"][0]
        for task, scale in enumerate(run.scales):
            color = colormaps["viridis"](0.9 * task / (len(run.scales) - 1))
            of_task = [at_step[task] for at_step in run.weights]
            weights.plot(run.steps, of_task, "-", color=color, label=rf"$\sigma$ = {scale:.3g}")
        weights.set_title(f"{tasks} tasks: GradNorm's weights, seed 0")
        weights.set_ylabel("weight in the total loss")
        weights.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        logarithmic_if_wide(weights)
        for axes in (losses, weights):
            axes.set_xlabel("step")
    figure.savefig(file, dpi=110)
