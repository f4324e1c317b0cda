"""What translating a folder of pictures costs beside the reference's way: a table of docs/benchmarks.md.

The reference's is written plainly with Pillow and torchvision: one picture after the other is read, translated by the
network of PyTorch as it is, and written.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from benchmarks.machine import machine
from benchmarks.plain_pix2pix import PlainUNet, copy_weights
from inference import write_picture
from pix2pix import PatchDiscriminator, Pix2Pix, Translator, UNetGenerator

PICTURES = 64
SIDE = 256
ROUNDS = 5
THREADS = 2


def plainly(network: PlainUNet, folder: Path, out: Path) -> None:
    """Translate the pictures of a folder as the reference does."""
    to_network = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])
    with torch.no_grad():
        for file in sorted(folder.iterdir()):
            made = network(to_network(Image.open(file).convert("RGB"))[None])
            array = ((made[0].permute(1, 2, 0).numpy() + 1) / 2 * 255).astype(np.uint8)
            Image.fromarray(array).save(out / file.name)


def with_ours(translator: Translator, folder: Path, out: Path) -> None:
    """Do so with a translator."""
    written = translator.predict_files([folder], out, overwrite=True).written
    assert written == PICTURES, written


def seconds(work: Callable[[], object]) -> float:
    """Return the time of something by a clock: files are read and written while the network runs."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def write_pictures(folder: Path) -> None:
    """Write pictures, smooth with a little noise as photographs are."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for index in range(PICTURES):
        coarse = random.integers(0, 256, (8, 8, 3)).repeat(SIDE // 8, 0).repeat(SIDE // 8, 1)
        noisy = coarse + random.integers(-4, 5, (SIDE, SIDE, 3))
        write_picture(folder / f"{index:03}.png", noisy.clip(0, 255).astype(np.uint8))


def report(device: torch.device) -> str:
    """Measure everything, on the CPU whatever the device; the ways take turns, and a round before does not count."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model = Pix2Pix(UNetGenerator(), PatchDiscriminator()).eval()
    plain = PlainUNet().eval()
    copy_weights(model.generator, plain)
    conversions, ways = {}, {}
    with tempfile.TemporaryDirectory() as root:
        folder, out = Path(root, "in"), Path(root, "out")
        write_pictures(folder)
        out.mkdir()
        ways["the reference's loop"] = partial(plainly, plain, folder, out)
        for backend in "torch", "onnxruntime", "openvino":
            start = time.perf_counter()
            translator = Translator(model, device="cpu", backend=backend)
            conversions[f"`--backend {backend}`"] = time.perf_counter() - start
            ways[f"`--backend {backend}`"] = partial(with_ours, translator, folder, out)
        rounds = [{name: seconds(work) for name, work in ways.items()} for _ in range(ROUNDS + 1)][1:]
    first, *others = ways
    lines = [
        machine("onnxruntime", "openvino"),
        "",
        "| way | pictures/s | times as fast (quartiles) | conversion before |",
        "|---|---:|---:|---:|",
        f"| {first} | {PICTURES / statistics.median(each[first] for each in rounds):.1f} | 1.00 | |",
    ]
    for name in others:
        rate = PICTURES / statistics.median(each[name] for each in rounds)
        low, middle, high = statistics.quantiles(each[first] / each[name] for each in rounds)
        before = "" if name.endswith("torch`") else f"{conversions[name]:.0f} s"
        lines.append(f"| {name} | {rate:.1f} | **{middle:.2f}** ({low:.2f} to {high:.2f}) | {before} |")
    return "\n".join(lines)
