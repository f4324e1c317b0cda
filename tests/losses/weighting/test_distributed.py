"""Weightings in two processes: the same weights as one process has on the joined batch."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from losses import AggregatedGradients, GradNorm, UncertaintyWeighting, Weighting
from tests.losses.weighting.network import TASKS, Network, batch

STEPS = 4
PROCESSES = 2
RUNS = [(name, absent) for name in ("GradNorm", "UncertaintyWeighting") for absent in (False, True)]


class Step(nn.Module):
    """A forward pass as DistributedDataParallel wants it, which leaves no parameter unused."""

    def __init__(self, network: Network, weighting: Weighting) -> None:
        super().__init__()
        self.network = network
        self.weighting = weighting

    def forward(self, images: Tensor, target: Tensor, tasks: tuple[str, ...]) -> Tensor:
        total = self.network.total(self.weighting, images, target, tasks)
        return total + 0 * sum(parameter.sum() for parameter in self.network.heads.parameters())


def make(name: str) -> tuple[Network, Weighting]:
    torch.manual_seed(0)
    likelihoods: dict[str, Any] = dict.fromkeys(TASKS, "gaussian")
    weighting = GradNorm(TASKS) if name == "GradNorm" else UncertaintyWeighting(likelihoods)
    # Statistics of BatchNorm are each process's own: with them there is no joined batch to compare with.
    return Network().double().eval(), weighting.double()


def make_aggregated() -> Step:
    torch.manual_seed(0)
    return Step(Network().double().eval(), AggregatedGradients(TASKS, aggregator="MGDA").double().train())


def train(step: nn.Module, weighting: Weighting, rank: int, processes: int, *, absent: bool) -> list[dict[str, Tensor]]:
    optimizer = torch.optim.SGD(step.parameters(), lr=0.05)
    states = []
    for number in range(STEPS):
        images, target = (tensor[rank::processes] for tensor in batch(number))
        optimizer.zero_grad()
        step(images, target, ("a", "c") if absent and rank == 1 else TASKS).backward()
        weighting.step()
        optimizer.step()
        states.append({name: value.clone() for name, value in weighting.state_dict().items()})
    return states


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=PROCESSES)
    states = {}
    for name, absent in RUNS:
        network, weighting = make(name)
        step = DistributedDataParallel(Step(network, weighting))
        states[name, absent] = train(step, weighting, rank, PROCESSES, absent=absent)
    torch.save(states, f"{folder}/{rank}.pt")
    step = DistributedDataParallel(make_aggregated())
    step(*(tensor[rank::PROCESSES] for tensor in batch()), TASKS).backward()
    torch.save([parameter.grad for parameter in step.parameters()], f"{folder}/gradients-{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes left what they found."""
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.spawn(work, (str(folder),), nprocs=PROCESSES)
    return folder


@pytest.fixture(scope="module")
def of_processes(folder: Path) -> list[dict[tuple[str, bool], list[dict[str, Tensor]]]]:
    """The states of the weightings after each step, in each process."""
    return [torch.load(folder / f"{rank}.pt") for rank in range(PROCESSES)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "absent"), RUNS)
def test_two_processes_have_the_weights_of_one(
    of_processes: list[dict[tuple[str, bool], list[dict[str, Tensor]]]], name: str, absent: bool
) -> None:
    first, second = (states[name, absent] for states in of_processes)
    for one, other in zip(first, second, strict=True):
        for key, value in one.items():
            assert torch.equal(value, other[key]), key
    if not absent:
        network, weighting = make(name)
        alone = train(Step(network, weighting), weighting, 0, 1, absent=False)
        for states, expected in zip(first, alone, strict=True):
            for key, value in states.items():
                assert_close(value, expected[key], rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_directions_that_are_aggregated_in_each_process_are_averaged(folder: Path) -> None:
    own = []
    for rank in range(PROCESSES):
        step = make_aggregated()
        step(*(tensor[rank::PROCESSES] for tensor in batch()), TASKS).backward()
        own.append([parameter.grad for parameter in step.parameters()])
    expected = [(first + second) / 2 for first, second in zip(*own, strict=True)]
    for rank in range(PROCESSES):
        assert_close(torch.load(folder / f"gradients-{rank}.pt"), expected, rtol=1e-12, atol=1e-15)
