"""Pairs that do not lie exactly on each other: what L1 makes of them, and what tolerates it.

    python -m examples.misaligned

The drawings of ``examples/shapes.py``, where the filled picture of each training pair is shifted, its own way, by up to
0, 3 or 6 pixels; those of the test pairs are not. pix2pix is trained with L1, with ``losses.ShiftTolerantL1Loss``
and with ``pix2pix.RegistrationLoss``. Into ``runs/misaligned`` it writes ``table.md``, the L1 of the test pairs, and
``pictures.png``: the same test picture for each shift (rows) and loss (columns), the truth at the right.
"""

import random
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
from PIL import Image

from examples.shapes import draw_pairs
from losses import ShiftTolerantL1Loss
from losses.convention import Loss
from pix2pix import PairedImages, PatchDiscriminator, Pix2Pix, RegistrationLoss, UNetGenerator

LARGEST = 6  # pixels


def losses_of_pairs() -> Mapping[str, dict[str, Loss | None]]:
    """Return the terms in place of L1, by what is compared."""
    return {
        "L1": {},
        "shift-tolerant L1": {"aligned": ShiftTolerantL1Loss(max_shift=LARGEST)},
        "registration": {"aligned": RegistrationLoss(max_shift=2 * LARGEST)},
    }


def write_pairs(root: Path, shift: int, counts: Mapping[str, int]) -> None:
    """Write drawings side by side; in training what is at the right is shifted by up to so many pixels."""
    for split, count in counts.items():
        generator = random.Random(f"{split} {shift}")
        (root / split).mkdir(parents=True, exist_ok=True)
        for index, (outlines, filled) in enumerate(draw_pairs(split, count)):
            most = shift if split == "train" else 0
            move = generator.randint(-most, most), generator.randint(-most, most)
            pair = Image.new("RGB", (2 * filled.width, filled.height), "white")
            pair.paste(outlines)
            moved = Image.new("RGB", filled.size, "white")
            moved.paste(filled, move)
            pair.paste(moved, (filled.width, 0))
            pair.save(root / split / f"{index:03}.png")


def train(root: Path, terms: dict[str, Loss | None], seed: int, epochs: int) -> tuple[float, np.ndarray]:
    """Train on pairs, and return the L1 of the test pairs, in [0, 1], and the first of their pictures."""
    pl.seed_everything(seed, verbose=False)
    model = Pix2Pix(
        UNetGenerator(base_channels=16, levels=5, dropout=0.0),
        PatchDiscriminator(base_channels=16, layers=2),
        lambda_l1=0.0 if terms else 100.0,
        terms=terms,
        weights=dict.fromkeys(terms, 100.0),
        lr_generator=1e-3,
        lr_discriminator=1e-3,
        constant_epochs=epochs - epochs // 2,
        decay_epochs=epochs // 2,
    )
    data = PairedImages(root, load_size=64, crop_size=64, batch_size=4, num_workers=0)
    trainer = pl.Trainer(
        max_epochs=epochs,
        limit_val_batches=0,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(model, datamodule=data)
    (found,) = trainer.test(model, datamodule=data, verbose=False)
    with torch.no_grad():
        made = model.eval()(data.dataset("test")[0, 0]["input"][None])[0]
    return found["test/l1"], ((made.permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()


def main(out: Path, shifts: Sequence[int] = (0, 3, 6), seeds: int = 1, epochs: int = 12, pairs: int = 240) -> str:
    """Train everything, write the table and the pictures, and return the table."""
    found, rows = {}, []
    for shift in shifts:
        write_pairs(root := out / f"pairs-{shift}", shift, {"train": pairs, "val": 1, "test": 40})
        row = []
        for name in losses_of_pairs():
            for seed in range(seeds):
                found[shift, name, seed], picture = train(root, losses_of_pairs()[name], seed, epochs)
            row.append(picture)
            print(f"up to {shift} pixels, {name}: {found[shift, name, seeds - 1]:.4f}", flush=True)
        with Image.open(root / "test" / "000.png") as pair:
            rows.append(np.concatenate([*row, np.asarray(pair)[:, pair.width // 2 :]], axis=1))
    Image.fromarray(np.concatenate(rows)).save(out / "pictures.png")
    (out / "table.md").write_text(table := tabulate(found, shifts, seeds))
    return table


def tabulate(found: Mapping[tuple[int, str, int], float], shifts: Sequence[int], seeds: int) -> str:
    """Return a table of the mean L1 over the seeds, with its standard deviation; found by shift, loss and seed."""
    lines = [f"| L1 of test pairs | {' | '.join(f'up to {shift} px' for shift in shifts)} |"]
    lines.append("|---|" + "---:|" * len(shifts))
    for name in losses_of_pairs():
        cells = []
        for shift in shifts:
            values = [found[shift, name, seed] for seed in range(seeds)]
            cells.append(
                f"{statistics.fmean(values):.4f}" + (f" ± {statistics.stdev(values):.4f}" if seeds > 1 else "")
            )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(main(Path("runs/misaligned")))
