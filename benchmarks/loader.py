"""Training pairs from files, beside the reference's way to read them: prints a table of docs/benchmarks.md.

The reference's is written plainly with Pillow and torchvision, as pytorch-CycleGAN-and-pix2pix has it: each half is
resized as a picture of Pillow's and becomes a tensor after the crop. Both are held to the same pictures first, as far
as Pillow and torch round alike.
"""

import contextlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from benchmarks.machine import machine
from benchmarks.scaling import PAIRS, write_photographs
from pix2pix import PairedImages
from pix2pix.data.transforms import PairTransform
from training.data import Cache, EpochDataset

LOAD, CROP = 286, 256
ROUNDS = 15
PLAIN = "plain"
ALONE = ", without imagecodecs"
CACHES: dict[str, Cache | None] = {"": None, ALONE: None, ", `cache: disk`": "disk", ", `cache: memory`": "memory"}
CLOSE = 3 / 127.5  # of values in [-1, 1]: three steps of 8 bits


def plain_pair(file: Path, left: int, top: int, flip: bool) -> tuple[Tensor, Tensor]:
    """Read a pair as the reference does."""
    both = Image.open(file).convert("RGB")
    width, height = both.size
    halves = both.crop((0, 0, width // 2, height)), both.crop((width // 2, 0, width, height))
    transform = transforms.Compose(
        [
            transforms.Resize([LOAD, LOAD], InterpolationMode.BICUBIC),
            transforms.Lambda(lambda picture: picture.crop((left, top, left + CROP, top + CROP))),
            transforms.Lambda(lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else picture),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    )
    return transform(halves[0]), transform(halves[1])


def plain_epoch(files: list[Path]) -> None:
    """Read all pairs, each cropped and mirrored by chance."""
    for file in files:
        left, top = random.randint(0, LOAD - CROP), random.randint(0, LOAD - CROP)
        plain_pair(file, left, top, random.random() > 0.5)


def require_same_pictures(data: PairedImages, files: list[Path]) -> None:
    """Require that both read the same, where nothing is left to chance.

    Raises:
        AssertionError: a value differs by more than what Pillow and torch round otherwise.
    """
    whole = PairTransform(LOAD, LOAD, flip=False, label_maps=None, color_jitter=0.0)
    dataset = data.dataset("train", augment=True)
    dataset.transform = whole
    sample = dataset[0, 0]
    resize = transforms.Resize([LOAD, LOAD], InterpolationMode.BICUBIC)
    both = Image.open(files[0]).convert("RGB")
    half = both.crop((0, 0, both.width // 2, both.height))
    expected = transforms.functional.to_tensor(resize(half)) * 2 - 1
    torch.testing.assert_close(sample["input"], expected, rtol=0, atol=CLOSE)


def seconds(read: Callable[[], object]) -> float:
    """Return the processor's time for something."""
    start = time.process_time()
    read()
    return time.process_time() - start


def rows(folder: Path, ending: str) -> list[str]:
    """Measure the files of one kind, in rounds in which all take turns; return lines of the table."""
    root = write_photographs(folder, ending)
    files = sorted((root / "train").iterdir())
    samples = {}
    ways = [way for way in CACHES if way != ALONE or ending == "png"]
    for name in ways:
        cache = CACHES[name]
        data = PairedImages(root, load_size=LOAD, crop_size=CROP, num_workers=0, cache=cache)
        require_same_pictures(data, files)
        with contextlib.redirect_stdout(None):  # the size of the cache
            samples[name] = data.train_dataloader().dataset
    epochs: dict[str, Callable[[], object]] = {name: partial(our_epoch, dataset) for name, dataset in samples.items()}
    if ALONE in epochs:
        epochs[ALONE] = partial(with_pillow_alone, epochs[ALONE])
    epochs[PLAIN] = partial(plain_epoch, files)
    rounds = [{name: seconds(epoch) for name, epoch in epochs.items()} for _ in range(ROUNDS + 1)][1:]
    return [
        line(f"{ending.upper()}{name}", [each[PLAIN] for each in rounds], [each[name] for each in rounds])
        for name in ways
    ]


def with_pillow_alone(read: Callable[[], object]) -> None:
    """Read as where imagecodecs is not installed."""
    with mock.patch("inference.pictures.files.decode_png", return_value=None):
        read()


def our_epoch(dataset: EpochDataset[Any]) -> None:
    """Read all pairs, augmented."""
    for index in range(PAIRS):
        dataset[0, index]


def line(name: str, theirs: list[float], ours: list[float]) -> str:
    """Return a line of the table."""
    low, middle, high = statistics.quantiles([b / a for a, b in zip(ours, theirs, strict=True)])
    rates = " | ".join(f"{PAIRS / statistics.median(each):.0f} pairs/s" for each in (theirs, ours))
    return f"| {name} | {rates} | **{middle:.2f}** ({low:.2f} to {high:.2f}) |"


def report(device: torch.device) -> str:
    """Measure; return the Markdown.

    Args:
        device: not used, as pictures are decoded by the processor.
    """
    torch.set_num_threads(1)
    lines = [
        machine("torchvision", "pillow", "imagecodecs"),
        "",
        "| pairs of 600 x 300 | the reference's | ours | times as fast (quartiles) |",
        "|---|---:|---:|---:|",
    ]
    for ending in "jpg", "png":
        with tempfile.TemporaryDirectory() as folder:
            lines += rows(Path(folder), ending)
    return "\n".join(lines)
