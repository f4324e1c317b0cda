"""What feeds a GPU, and what several of them cost: the numbers of docs/scaling.md.

    OMP_NUM_THREADS=1 python -m benchmarks.scaling

The loader is measured: JPEG pairs of 600 x 300 side by side, resized to 286 and cropped to 256, as the paper does. What
several GPUs do is computed from the bytes of the gradients and the operations of a step, not run.
"""

import logging
import platform
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
from PIL import Image
from torch.utils.data import default_collate
from torch.utils.flop_counter import FlopCounterMode

from pix2pix import PairedImages, PatchDiscriminator, Pix2Pix, UNetGenerator

SIDE = 256
PAIRS = 64
ROUNDS = 7
BATCH = 16  # pairs of each GPU
OPERATIONS = 100e12  # a second, that a GPU sustains in bfloat16
BANDWIDTH = {8: 200e9, 64: 25e9}  # bytes a second of each GPU's link: within a machine, and between machines


def write_photographs(root: Path, ending: str = "jpg") -> Path:
    """Write pairs as large as those of the paper's facades, smooth with a little noise as photographs are."""
    random = np.random.default_rng(0)
    for split, count in {"train": PAIRS, "val": 1, "test": 1}.items():
        (root / split).mkdir(parents=True)
        for index in range(count):
            coarse = Image.fromarray(random.integers(0, 256, (10, 20, 3), np.uint8)).resize((600, 300), Image.BICUBIC)
            noisy = np.asarray(coarse).astype(int) + random.integers(-6, 7, (300, 600, 3))
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(root / split / f"{index:03}.{ending}", quality=90)
    return root


def pairs_a_second(root: Path) -> list[float]:
    """Read all pairs in this process, augmented and in batches, as a worker does; once for each round."""
    dataset = PairedImages(str(root), load_size=286, crop_size=SIDE).dataset("train", augment=True)
    rates = []
    for epoch in range(ROUNDS + 1):
        start = time.process_time()
        for first in range(0, PAIRS, BATCH):
            default_collate([dataset[epoch, index] for index in range(first, first + BATCH)])
        rates.append(PAIRS / (time.process_time() - start))
    return rates[1:]


def operations_of_a_step(root: Path) -> float:
    """Count the floating point operations of a training step, for each pair."""
    model, data = Pix2Pix(UNetGenerator(), PatchDiscriminator()), PairedImages(str(root), batch_size=1, num_workers=0)
    trainer = pl.Trainer(
        max_epochs=1,
        limit_train_batches=1,
        limit_val_batches=0,
        accelerator="cpu",
        enable_checkpointing=False,
        use_distributed_sampler=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with FlopCounterMode(display=False) as counter:
        trainer.fit(model, datamodule=data)
    return float(counter.get_total_flops())


def main() -> None:
    """Measure, compute and print."""
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    bytes_of = {
        name: 4 * sum(each.numel() for each in network.parameters())
        for name, network in {"G": UNetGenerator(), "D": PatchDiscriminator()}.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        rates = pairs_a_second(write_photographs(Path(folder, "photographs")))
        operations = operations_of_a_step(Path(folder, "photographs"))
    low, middle, high = statistics.quantiles(rates, n=4)
    print(f"{platform.machine()}, one core; torch {torch.__version__}")
    print(f"loader: {middle:.0f} pairs a second ({low:.0f} to {high:.0f})")
    print(f"gradients: G {bytes_of['G'] / 1e6:.1f} MB, D {bytes_of['D'] / 1e6:.1f} MB")
    print(f"a step: {operations / 1e9:.1f} GFLOP a pair\n")
    computing = BATCH * operations / OPERATIONS
    print(f"| GPUs | bytes sent by each | time to send | time to compute {BATCH} pairs | together, nothing hidden |")
    print("|---:|---:|---:|---:|---:|")
    for count, bandwidth in BANDWIDTH.items():
        sent = 2 * (count - 1) / count * sum(bytes_of.values())
        sending = sent / bandwidth
        times = f"{sending * 1e3:.1f} ms | {computing * 1e3:.1f} ms | {(sending + computing) * 1e3:.1f} ms"
        print(f"| {count} | {sent / 1e6:.0f} MB | {times} |")


if __name__ == "__main__":
    main()
