"""A layout of your own: pairs that lie in one folder, as ``NAME_a.png`` and ``NAME_b.png``.

    python -m examples.own_layout

A layout is a class that finds the pairs of a split and reads one of them. Everything else stays what it is: the checks
of sizes and names, resizing, augmentation, batches, resuming. The command line takes the class by its path:

    python -m pix2pix fit --config facades --data.root datasets/mine --data.layout examples.own_layout.OneFolder

This script writes pairs of shapes in that layout and trains a small U-Net on them from Python. On one CPU core
the 10 epochs took 30 seconds. L1 on pairs held out was 0.033 at their end; copying the input has 0.070.
"""

import tempfile
from pathlib import Path

import lightning.pytorch as pl

from examples.shapes import draw_pairs
from inference import Picture, open_picture
from pix2pix import PairedImages, PatchDiscriminator, Pix2Pix, UNetGenerator
from pix2pix.data import DataError, Pairs


class OneFolder(Pairs):
    """``root/SPLIT/NAME_a.png`` and ``root/SPLIT/NAME_b.png``."""

    def __init__(self, root: Path, split: str) -> None:
        self.folder = root / split
        self.names = sorted(file.name.removesuffix("_a.png") for file in self.folder.glob("*_a.png"))
        if not self.names:
            raise DataError(f"{self.folder}: no pictures named NAME_a.png in this folder")

    def read(self, index: int) -> tuple[Picture, Picture]:
        """Open A and B of one name."""
        a, b = (open_picture(self.folder / f"{self.names[index]}_{side}.png") for side in "ab")
        return a, b


def main(epochs: int = 10) -> float:
    """Write pairs, train on them, and return the L1 of the validation pairs, in [0, 1].

    Args:
        epochs: of training.
    """
    with tempfile.TemporaryDirectory() as folder:
        for split, count in ("train", 200), ("val", 20):
            Path(folder, split).mkdir()
            for index, (outlines, filled) in enumerate(draw_pairs(split, count)):
                outlines.save(Path(folder, split, f"{index}_a.png"))
                filled.save(Path(folder, split, f"{index}_b.png"))

        pl.seed_everything(0)
        data = PairedImages(folder, layout=OneFolder, load_size=64, crop_size=64, batch_size=10, num_workers=0)
        model = Pix2Pix(
            UNetGenerator(levels=5, base_channels=16),
            PatchDiscriminator(base_channels=16, layers=2),
            lr_generator=1e-3,
            lr_discriminator=1e-3,
        )
        trainer = pl.Trainer(max_epochs=epochs, logger=False, enable_checkpointing=False, use_distributed_sampler=False)
        trainer.fit(model, data)
        return trainer.callback_metrics["val/l1"].item()


if __name__ == "__main__":
    print(f"validation L1: {main():.4f}")
