"""Curves of a run's losses and metrics, from the CSV file that it wrote."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

import lightning.pytorch as pl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.metrics_file import FILE, Metrics
from training.whole_files import whole_file

Panels = Mapping[str, Sequence[str]]
COLUMNS = 4


class Curves(pl.Callback):
    """Draw ``curves.png`` next to ``metrics.csv`` when training ends, even if it ends early.

    Args:
        panels: the names of what each panel shows, by its title; ``*`` in a name stands for anything. A panel without
            logged values is left out.
    """

    def __init__(self, panels: Panels) -> None:
        self.panels = panels
        self._folder = Path()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Find the run's folder, on all processes together."""
        self._folder = Path(trainer.log_dir or trainer.default_root_dir)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the curves."""
        self._draw(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Draw the curves so far, unless the disk that ended the run is full."""
        with suppress(OSError):
            self._draw(trainer)

    def _draw(self, trainer: pl.Trainer) -> None:
        if not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            logger.save()
        file = self._folder / FILE
        if file.is_file():
            with whole_file(self._folder / "curves.png") as picture:
                FigureCanvasAgg(draw_curves(Metrics(file), self.panels)).print_png(picture)


def draw_curves(metrics: Metrics, panels: Panels) -> Figure:
    """Draw what a run has logged over the batches; see :class:`Curves`."""
    shown = {
        title: [name for name in metrics.names if any(fnmatch(name, pattern) for pattern in patterns)]
        for title, patterns in panels.items()
    }
    shown = {title: names for title, names in shown.items() if names}
    lines = max(-(-len(shown) // COLUMNS), 1)
    figure = Figure(figsize=(4.5 * COLUMNS, 4 * lines), layout="constrained")
    for place, (title, names) in enumerate(shown.items(), start=1):
        axes = figure.add_subplot(lines, COLUMNS, place)
        for name in names:
            if series := metrics.series(name):
                axes.plot(*zip(*series, strict=True), label=name, linewidth=1)
                axes.legend()
        axes.set_title(title)
        axes.set_xlabel("batches")
        axes.grid(alpha=0.3)
    return figure
