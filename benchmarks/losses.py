"""Our losses beside those of other libraries, in time and memory: tables of docs/benchmarks.md."""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import kornia.losses
import segmentation_models_pytorch as smp
import torch
import torchvision
from pytorch_metric_learning import distances, miners, reducers
from pytorch_metric_learning import losses as pml
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

import losses
from benchmarks.machine import machine

PEERS = ("kornia", "pytorch-metric-learning", "segmentation-models-pytorch")
ROUNDS = 31
SAMPLES_PER_CLASS = 4  # as in Hermans et al. 2017
MEMORY_SAMPLES = 4096
MEMORY_TARGET = 4.0  # GB


@dataclass(frozen=True)
class Case:
    """One loss, ours and a peer's, of the same inputs, with the options that make them the same function."""

    name: str
    peer_name: str
    ours: Callable[..., Tensor]
    peer: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]  # those that are trained take a gradient
    target: float  # how many times as fast ours shall be
    rounds: int = ROUNDS

    def check(self) -> None:
        """Refuse to compare what is not the same: values and gradients."""
        ours, theirs = self._value_and_gradients(self.ours), self._value_and_gradients(self.peer)
        assert_close(ours, theirs, rtol=1e-3, atol=1e-5, msg=lambda text: f"{self.name}: {text}")

    def times(self) -> list[tuple[float, float]]:
        """Seconds of ours and of the peer's forward and backward pass, in each round."""
        pair = (self.ours, self.peer)
        rounds = []
        for number in range(-1, self.rounds):  # the first warms up
            order = (0, 1) if number % 2 else (1, 0)
            seconds = {place: self._seconds(pair[place]) for place in order}
            rounds.append((seconds[0], seconds[1]))
        return rounds[1:]

    def _seconds(self, loss: Callable[..., Tensor]) -> float:
        for tensor in self.inputs:
            tensor.grad = None
        start = time.process_time()
        loss(*self.inputs).backward()
        return time.process_time() - start

    def _value_and_gradients(self, loss: Callable[..., Tensor]) -> list[Tensor]:
        value = loss(*self.inputs)
        return [value.detach(), *torch.autograd.grad(value, [x for x in self.inputs if x.requires_grad])]


def embeddings(samples: int) -> tuple[Tensor, Tensor]:
    """Embeddings of 128 numbers, and their classes."""
    return torch.randn(samples, 128, requires_grad=True), torch.arange(samples) // SAMPLES_PER_CLASS


def batch_hard() -> Case:
    """PML's defaults normalize the embeddings and leave anchors that cost nothing out of the mean."""
    distance = distances.LpDistance(normalize_embeddings=False)
    miner = miners.BatchHardMiner(distance=distance)
    loss = pml.TripletMarginLoss(margin=1.0, distance=distance, reducer=reducers.MeanReducer())
    return Case(
        "triplets, batch-hard, 512 x 128",
        "pytorch-metric-learning",
        losses.OnlineTripletLoss(mining="batch_hard"),
        lambda x, classes: loss(x, classes, miner(x, classes)),
        embeddings(512),
        target=3,
    )


def batch_all() -> Case:
    """All triplets of a batch, the mean over those that cost something."""
    distance = distances.LpDistance(normalize_embeddings=False)
    return Case(
        "triplets, batch-all, 384 x 128",
        "pytorch-metric-learning",
        losses.OnlineTripletLoss(mining="batch_all"),
        pml.TripletMarginLoss(margin=1.0, distance=distance),
        embeddings(384),
        target=2.5,
    )


def nt_xent() -> Case:
    """SimCLR's loss; PML's takes seconds and gigabytes, so that there are few rounds."""
    theirs, classes = pml.NTXentLoss(temperature=0.07), torch.arange(256).repeat(2)
    views = torch.randn(256, 128, requires_grad=True), torch.randn(256, 128, requires_grad=True)
    return Case(
        "NT-Xent, 256 pairs x 128",
        "pytorch-metric-learning",
        losses.NTXentLoss(temperature=0.07),
        lambda first, second: theirs(torch.cat([first, second]), classes),
        views,
        target=50,
        rounds=5,
    )


def maps(classes: int) -> tuple[Tensor, Tensor]:
    """Logits and labels of four pictures, in each of which every class is."""
    return torch.randn(4, classes, 128, 128, requires_grad=True), torch.randint(classes, (4, 128, 128))


def dice_of_kornia(classes: int) -> Case:
    """By sample and class."""
    return Case(
        f"Dice, 4 x {classes} x 128 x 128",
        "kornia",
        losses.DiceLoss(smooth=0.0, absent="skip"),
        kornia.losses.DiceLoss(average="macro"),
        maps(classes),
        target=1,
    )


def dice_of_smp(classes: int) -> Case:
    """By class, over the whole batch."""
    return Case(
        f"Dice of the batch, 4 x {classes} x 128 x 128",
        "segmentation-models-pytorch",
        losses.DiceLoss(smooth=0.0, absent="zero", per_sample=False, ignore_index=255),
        smp.losses.DiceLoss("multiclass", ignore_index=255),
        maps(classes),
        target=2,
    )


def focal() -> Case:
    """Kornia's mean divides by the number of classes once more."""
    theirs = kornia.losses.FocalLoss(alpha=None, gamma=2.0, reduction="mean")
    return Case(
        "focal, 4 x 19 x 128 x 128",
        "kornia",
        losses.FocalLoss(gamma=2.0),
        lambda x, target: 19 * theirs(x, target),
        maps(19),
        target=1,
    )


def perceptual() -> Case:
    """The usual form cuts the VGG into one network for each layer, and so goes through the first layers five times."""
    layers = {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22, "relu5_3": 29}
    convolutions = torchvision.models.vgg16(weights=None).features.eval().requires_grad_(False)
    slices = [convolutions[: place + 1] for place in layers.values()]
    with tempfile.TemporaryDirectory() as folder:
        torch.save(convolutions.state_dict(), Path(folder) / "vgg16.pth")
        ours = losses.PerceptualLoss(weights=Path(folder) / "vgg16.pth", layers=list(layers))

    def look(pictures: Tensor) -> Tensor:
        return torchvision.transforms.functional.normalize(
            (pictures + 1) / 2, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        )

    def sliced(input: Tensor, target: Tensor) -> Tensor:
        return torch.stack([F.l1_loss(network(look(input)), network(look(target))) for network in slices]).sum()

    pictures = torch.rand(2, 3, 64, 64, requires_grad=True), torch.rand(2, 3, 64, 64)
    return Case("perceptual, 5 layers, 2 x 3 x 64 x 64", "a network per layer", ours, sliced, pictures, 2, rounds=11)


def cases() -> Iterator[Case]:
    """One after the other, so that a case's tensors are gone before the next one's come."""
    makers: list[Callable[[], Case]] = [batch_hard, batch_all, nt_xent]
    for classes in (19, 64):
        makers += [partial(dice_of_kornia, classes), partial(dice_of_smp, classes)]
    for make in [*makers, focal, perceptual]:
        yield make()


def row(case: Case) -> str:
    """The case's line of the table."""
    case.check()
    times = case.times()
    ours, theirs = (1e3 * statistics.median(seconds) for seconds in zip(*times, strict=True))
    low, ratio, high = statistics.quantiles([peer / our for our, peer in times], n=4)
    digits = 2 if ratio < 10 else 0
    return (
        f"| {case.name} | {case.peer_name} | {ours:.1f} ms | {theirs:.1f} ms "
        f"| **{ratio:.{digits}f}** ({low:.{digits}f} to {high:.{digits}f}) | {case.target:g} "
        f"| {'yes' if ratio >= case.target else 'no'} |"
    )


def print_peak_memory() -> None:
    """All triplets of a large batch, forward and backward, in a process that does nothing else."""
    torch.set_num_threads(1)
    losses.online_triplet_loss(*embeddings(MEMORY_SAMPLES), mining="batch_all").backward()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def memory_row() -> str:
    """The line of the second table; Linux gives a process's peak in KiB."""
    command = [sys.executable, "-m", "benchmarks.losses"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    peak = int(output) * 1024 / 1e9
    triplets = MEMORY_SAMPLES * (SAMPLES_PER_CLASS - 1) * (MEMORY_SAMPLES - SAMPLES_PER_CLASS)
    return (
        f"| triplets, batch-all, {MEMORY_SAMPLES} x 128 ({triplets / 1e6:.0f} million triplets) | {peak:.1f} GB "
        f"| {MEMORY_TARGET:g} GB | {'yes' if peak < MEMORY_TARGET else 'no'} |"
    )


def report(device: torch.device) -> str:
    """Measure everything, in one run; on the CPU, whatever the device."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    memory = memory_row()  # first: a process's peak counts what its parent held when it was started
    lines = [
        machine("torchvision", *PEERS),
        "",
        "| loss | peer | ours | theirs | times as fast (quartiles) | target | met |",
        "|---|---|---|---|---|---|---|",
        *map(row, cases()),
        "",
        "| loss | peak memory | target | met |",
        "|---|---|---|---|",
        memory,
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print_peak_memory()  # for memory_row, in a process of its own
