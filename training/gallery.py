"""The gallery of a trained model: its output for every sample of a split, with the metrics of each."""

import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from tqdm import tqdm

from inference import DataError, read_checkpoint, run_of
from inference.gallery import About, GalleryFolder
from inference.gallery.thumbnails import data_uri
from inference.picture_table import short_names
from inference.pictures import to_picture
from training.data import ResumableData, Split
from training.model import Model
from training.run_data import data_of_run

CHECKPOINTS = ("best.ckpt", "last.ckpt")  # of a run's folder, in the order in which they are looked for


class RunGallery(ABC):
    """Runs a trained model over a split and writes a gallery; an application subclasses it.

    Attributes:
        program: the application's package and command.
        data_type: its data module.
        notes: what a column shows, by its title, where that does not say it.

    Args:
        source: a run's folder, of which the best checkpoint is taken, or a checkpoint in one.
        out: the folder to write to; null is ``gallery`` in the run.
        split: which samples: ``test`` or ``val``; null is ``test``, or ``val`` where there is no test.
        root: the data set's folder, where it is not that of the run's config.yaml any more.
    """

    program: ClassVar[str]
    data_type: ClassVar[type[ResumableData[Any]]]
    notes: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        source: str | Path,
        *,
        out: str | None = None,
        split: Literal["test", "val"] | None = None,
        root: str | None = None,
    ) -> None:
        self.source = source
        self.checkpoint = checkpoint_of(Path(source))
        run = run_of(self.checkpoint)
        if run is None:
            raise DataError(
                f"{self.checkpoint}: is not in the folder of its run, whose config.yaml says where the data are; "
                "put it there"
            )
        self.run = run
        self.out = out
        self.folder = run / "gallery" if out is None else Path(out)
        self.split = split
        self.root = root

    @abstractmethod
    def load(self) -> Model:
        """Rebuild the model from the checkpoint; raise ValueError if it is of another application."""

    def draw(self, model: Model, batch: Any, outputs: Any) -> dict[str, Tensor]:
        """Draw a batch: by their titles pictures N x 3 x H x W in [0, 1]."""
        return model.draw(batch, outputs)

    def lines(self, titles: Sequence[str]) -> Sequence[Sequence[str | None]]:
        """Return how the pictures of a sample lie on the page, line by line; None is a gap."""
        return [titles]

    @torch.no_grad()
    def write(self, overwrite: bool) -> Path:
        """Run the model, and write the gallery.

        Args:
            overwrite: whether one that is there is replaced.

        Returns:
            The file of the page.

        Raises:
            DataError: the data are not there, or a gallery is.
        """
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = self.load().eval().to(device)
        data = data_of_run(self.run, self.data_type, self.root)
        if known := read_checkpoint(self.checkpoint).get("data"):
            data.take_over(known)
        split: Split = self.split or ("val" if data.why_no_test() else "test")
        gallery = GalleryFolder(self.folder, len(data.layout(split)), overwrite)
        names: list[str] = []
        for batch in tqdm(data.evaluation_dataloader(split), unit=" batches", disable=None):
            batch = model.transfer_batch_to_device(batch, device, 0)
            outputs = model.predict_step(batch, 0)
            drawn = {title: pictures.cpu() for title, pictures in self.draw(model, batch, outputs).items()}
            metrics = {name: values.tolist() for name, values in model.measure_pictures(batch, outputs).items()}
            for index, name in enumerate(batch["name"]):
                pictures = {title: to_picture(each[index]) for title, each in drawn.items()}
                gallery.add(name.rpartition("/")[2], pictures, {key: values[index] for key, values in metrics.items()})
            names += batch["name"]
        # Files are called by the last part of a name: what all names have in common is known only now.
        gallery.items = [item._replace(name=name) for item, name in zip(gallery.items, short_names(names), strict=True)]
        return gallery.write(self._about(model, split, gallery))

    def _about(self, model: Model, split: Split, gallery: GalleryFolder) -> About:
        curves = self.run / "curves.png"
        count, steps = len(gallery.items), read_checkpoint(self.checkpoint).get("global_step")
        given = {"--split": split, "--root": self.root, "--out": self.out}
        options = [word for name, value in given.items() if value is not None for word in (name, value)]
        return About(
            title=f"{self.run.parent.name} {self.run.name}",
            lines=self.lines(list(gallery.items[0].pictures)),
            better=model.picture_metrics,
            facts=[f"{count} sample{'s' * (count != 1)} of {split}; {self.checkpoint.name}, after {steps:,} batches"],
            notes=self.notes,
            legend={name: color.tolist() for name, color in model.legend().items()},
            curves=data_uri(curves.read_bytes(), "image/png") if curves.is_file() else None,
            configuration=(self.run / "config.yaml").read_text(encoding="utf-8"),
            command=f"python -m {shlex.join([self.program, 'gallery', str(self.source), *options])}",
        )


def is_run(folder: Path) -> bool:
    """Return whether a folder is that of a run."""
    return (folder / "config.yaml").is_file() and (folder / "checkpoints").is_dir()


def checkpoint_of(source: Path) -> Path:
    """Return the checkpoint of a run: the best, or else the last; that of a file is the file.

    Raises:
        DataError: there is none.
    """
    if source.is_dir():
        for name in CHECKPOINTS:
            if (file := source / "checkpoints" / name).is_file():
                return file
        raise DataError(
            f"{source}: no run, as it has neither checkpoints/best.ckpt nor checkpoints/last.ckpt; give one"
        )
    if not source.is_file():
        raise DataError(f"{source}: no such file or folder")
    return source
