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

from losses import (
    DBMTL,
    FAMO,
    IMTLL,
    STCH,
    AggregatedGradients,
    GradNorm,
    RandomWeighting,
    UncertaintyWeighting,
    Weighting,
)
from tests.losses.weighting.network import TASKS, Network, batch

STEPS = 4
PROCESSES = 2
MAKERS: dict[str, Any] = {
    "GradNorm": GradNorm,
    "UncertaintyWeighting": UncertaintyWeighting,
    "IMTLL": IMTLL,
    "FAMO": FAMO,
    "STCH": lambda tasks: STCH(tasks, warmup_epochs=1),
    "RandomWeighting": RandomWeighting,
    "DBMTL": DBMTL,
}
OF_OWN_BATCH = ("FAMO", "STCH", "DBMTL")  # the losses of each process's batch enter its weights
RUNS = [(name, absent) for name in MAKERS for absent in (False, True)]


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
    # Statistics of BatchNorm are each process's own: with them there is no joined batch to compare with.
    return Network().double().eval(), MAKERS[name](TASKS).double()


def make_aggregated() -> Step:
    torch.manual_seed(0)
    return Step(Network().double().eval(), AggregatedGradients(TASKS, aggregator="MGDA").double().train())


def train(
    step: nn.Module, network: Network, weighting: Weighting, rank: int, processes: int, *, absent: bool
) -> list[dict[str, Tensor]]:
    optimizer = torch.optim.SGD(step.parameters(), lr=0.05)
    states = []
    for number in range(STEPS):
        images, target = (tensor[rank::processes] for tensor in batch(number))
        tasks = ("a", "c") if absent and rank == 1 else TASKS
        optimizer.zero_grad()
        step(images, target, tasks).backward()
        weighting.step()
        optimizer.step()
        if weighting.observes:
            with torch.no_grad():
                weighting.observe(network.losses(dict.fromkeys(TASKS, network.features(images)), target, tasks))
        if number == 1:
            weighting.end_epoch()
        states.append({name: value.clone() for name, value in weighting.state_dict().items()})
    return states


def told(famo: FAMO, stch: STCH, before: list[dict[str, float]], after: list[dict[str, float]]) -> list[Tensor]:
    """Logits and nadir after one step with these losses, a mapping for each batch."""
    for weighting in famo, stch:
        for losses in before:
            parameter = torch.ones((), dtype=torch.float64, requires_grad=True)
            weighting({task: loss * parameter for task, loss in losses.items()}).backward()
        weighting.step()
    famo.observe(*({task: torch.tensor(loss) for task, loss in losses.items()} for losses in after))
    stch.end_epoch()
    return [famo.logits, famo.adam.first, stch.nadir]


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=PROCESSES)
    states = {}
    for name, absent in RUNS:
        network, weighting = make(name)
        step = DistributedDataParallel(Step(network, weighting))
        states[name, absent] = train(step, network, weighting, rank, PROCESSES, absent=absent)
    torch.save(states, f"{folder}/{rank}.pt")
    step = DistributedDataParallel(make_aggregated())
    step(*(tensor[rank::PROCESSES] for tensor in batch()), TASKS).backward()
    torch.save([parameter.grad for parameter in step.parameters()], f"{folder}/gradients-{rank}.pt")
    torch.save(told(*make_told(), BEFORE[rank : rank + 1], AFTER[rank : rank + 1]), f"{folder}/told-{rank}.pt")
    torch.distributed.destroy_process_group()


BEFORE = [{"a": 4.0, "b": 2.0, "c": 0.5}, {"a": 2.0, "c": 0.7}]  # of each process; one has no b
AFTER = [{"a": 3.0, "b": 1.9, "c": 0.1}, {"a": 1.5, "c": 0.5}]


def make_told() -> tuple[FAMO, STCH]:
    return FAMO(TASKS).double(), STCH(TASKS, warmup_epochs=1).double()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes left what they found."""
    folder = tmp_path_factory.mktemp("processes")
    # Forked processes end without finalizing Python. Of spawned ones some abort there: a thread of gloo's may still
    # hold the last reduced tensor, and letting go of it needs the interpreter.
    torch.multiprocessing.start_processes(work, (str(folder),), nprocs=PROCESSES, start_method="fork")
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
            assert torch.equal(value.nan_to_num(-1), other[key].nan_to_num(-1)), key
    if not absent and name not in OF_OWN_BATCH:
        network, weighting = make(name)
        alone = train(Step(network, weighting), network, weighting, 0, 1, absent=False)
        for states, expected in zip(first, alone, strict=True):
            for key, value in states.items():
                assert_close(value, expected[key], rtol=1e-10, atol=1e-12, equal_nan=True)


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


@pytest.mark.slow
def test_gradients_that_are_scaled_in_each_process_are_averaged_in_one(
    of_processes: list[dict[tuple[str, bool], list[dict[str, Tensor]]]],
) -> None:
    """DB-MTL's average after the first step is a tenth of the joined gradient of both logarithms."""
    expected = torch.zeros(3, 4, 4, 3, 3, dtype=torch.float64)
    for rank in range(PROCESSES):
        network, _ = make("DBMTL")
        images, target = (tensor[rank::PROCESSES] for tensor in batch())
        losses = network.losses(dict.fromkeys(TASKS, network.features(images)), target)
        for place, loss in enumerate(losses.values()):
            (gradient,) = torch.autograd.grad(loss.log(), network.last.weight, retain_graph=True)
            expected[place] += gradient / PROCESSES
    for states in of_processes:
        assert_close(states["DBMTL", False][0]["_extra_state"], expected / 10, rtol=1e-10, atol=1e-14)


@pytest.mark.slow
def test_what_is_learned_from_losses_is_learned_from_those_of_all_processes(folder: Path) -> None:
    """As one process learns it from the same batches, one after the other."""
    expected = told(*make_told(), BEFORE, AFTER)
    assert_close(expected[2], torch.tensor([3.0, 2.0, 0.6], dtype=torch.float64), rtol=1e-6, atol=0)
    for rank in range(PROCESSES):
        assert_close(torch.load(folder / f"told-{rank}.pt"), expected, rtol=1e-12, atol=1e-15)
