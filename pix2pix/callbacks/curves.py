"""Curves of a run's losses and measures, from the CSV file that it wrote."""

import csv
from pathlib import Path

import lightning.pytorch as pl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

PANELS = {
    "generator: adversarial loss": ("train/G_gan",),
    "generator: L1": ("train/G_l1",),
    "discriminator": ("train/D_real", "train/D_fake", "train/D_penalty"),
    "discriminator's mean scores": ("train/D_output_real", "train/D_output_fake"),
    "validation L1": ("val/l1",),
    "validation PSNR (dB)": ("val/psnr",),
    "validation SSIM": ("val/ssim",),
    "learning rates": ("lr/G", "lr/D"),
}


class Curves(pl.Callback):
    """Draw ``curves.png`` beside ``metrics.csv`` when training ends, also when it ends early."""

    def __init__(self) -> None:
        self._folder = Path()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Find the run's folder, on all processes together."""
        self._folder = Path(trainer.log_dir or trainer.default_root_dir)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw."""
        self._draw(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Draw what there is."""
        self._draw(trainer)

    def _draw(self, trainer: pl.Trainer) -> None:
        if not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            logger.save()
        metrics = self._folder / "metrics.csv"
        if metrics.is_file():
            FigureCanvasAgg(draw_curves(metrics)).print_png(self._folder / "curves.png")


def draw_curves(metrics: Path) -> Figure:
    """Draw the losses and measures in a ``metrics.csv`` over the batches."""
    with metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(18, 8), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(2, 4).flat, PANELS.items(), strict=True):
        for name in names:
            points = [(int(row["step"]), float(row[name])) for row in rows if row.get(name)]
            if points:
                axes.plot(*zip(*points, strict=True), label=name, linewidth=1)
                axes.legend()
        axes.set_title(title)
        axes.set_xlabel("batches")
        axes.grid(alpha=0.3)
    return figure
