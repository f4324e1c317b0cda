"""What `translate` costs beside a bare loop over the network: prints the table of docs/benchmarks.md."""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import machine
from inference import write_picture
from pix2pix import PatchDiscriminator, Pix2Pix, Translator, UNetGenerator

PICTURES = 200
SIDE = 256
BATCH = 8
ROUNDS = 5


def bare_loop(network: UNetGenerator) -> float:
    """Run the network on as many pictures, which are in memory, and throw the results away: seconds."""
    batch = torch.rand(BATCH, 3, SIDE, SIDE) * 2 - 1
    start = time.perf_counter()
    with torch.inference_mode():
        for _ in range(PICTURES // BATCH):
            network(batch)
    return time.perf_counter() - start


def files(translator: Translator, folder: Path, out: Path) -> float:
    """Read PNG files, translate them and write PNG files: seconds."""
    start = time.perf_counter()
    report = translator.predict_files([folder], out, overwrite=True)
    assert report.written == PICTURES, report
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    model = Pix2Pix(UNetGenerator(), PatchDiscriminator()).eval()
    translator = Translator(model, device="cpu", batch_size=BATCH)
    with tempfile.TemporaryDirectory() as root:
        folder, out = Path(root, "in"), Path(root, "out")
        folder.mkdir()
        for index in range(PICTURES):  # smooth with a little noise, as photographs are
            coarse = random.integers(0, 256, (8, 8, 3)).repeat(SIDE // 8, 0).repeat(SIDE // 8, 1)
            noisy = coarse + random.integers(-4, 5, (SIDE, SIDE, 3))
            write_picture(folder / f"{index}.png", noisy.clip(0, 255).astype(np.uint8))
        bare_loop(model.generator), files(translator, folder, out)
        bare, whole = [], []
        for _ in range(ROUNDS):
            bare.append(bare_loop(model.generator))
            whole.append(files(translator, folder, out))
    ratios = sorted(each / beside for each, beside in zip(whole, bare, strict=True))
    print(machine())
    print()
    print(f"| {PICTURES} pictures of {SIDE} x {SIDE} in batches of {BATCH} | time | beside the bare loop (range) |")
    print("|---|---|---|")
    print(f"| the network alone, in a loop | {statistics.median(bare):.1f} s | 1.00 |")
    ratio = statistics.median(ratios)
    print(
        f"| `Translator.predict_files`, PNG to PNG | {statistics.median(whole):.1f} s | "
        f"**{ratio:.2f}** ({ratios[0]:.2f} to {ratios[-1]:.2f}) |"
    )


if __name__ == "__main__":
    main()
