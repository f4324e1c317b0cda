"""``pix2pix gallery``: what a model makes of every pair, or the pictures of a folder, on one page."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import Tensor

from inference import DataError, Picture, open_picture, read_checkpoint
from inference.gallery import About, GalleryFolder
from inference.gallery.columns import BROWSERS_SHOW, drawn, read_columns
from inference.pictures import PictureFormat, heat, sizes_differ, to_picture
from inference.pictures.format import range_of
from pix2pix.data import PairedImages
from pix2pix.metrics import unit_range
from pix2pix.module import Pix2Pix
from pix2pix.picture_metrics import BETTER, measure_pictures
from training.gallery import RunGallery, is_run
from training.model import Model

BRIGHTEST = 0.25  # the difference that is drawn brightest, as a part of the range
DIFFERENCE = f"|output - target|, mean of the channels; black is 0, light yellow {BRIGHTEST} of the range or more"


def gallery(
    source: str,
    *,
    out: str | None = None,
    split: Literal["test", "val"] | None = None,
    root: str | None = None,
    overwrite: bool = False,
) -> None:
    """Show a model's output for every pair, or the pictures of a folder, on one page to sort, filter and compare.

    For a run or its checkpoint, the page shows the pairs of a split: input, output, target and their difference, with
    the metrics of each pair. For any other folder it shows the pictures in the subfolders input, output and target,
    matched by name, with metrics if there are output and target; or all pictures in the folder. The page is one HTML
    file that needs no network and no server; the full pictures and pictures.csv are beside it.

    Args:
        source: the folder of a run, whose best checkpoint is used; a checkpoint of a run; or a folder of pictures.
        out: the folder to write to; null is ``gallery`` in the run or in the folder.
        split: which pairs of a run: ``test`` or ``val``; null is ``test``, or ``val`` if there is no test.
        root: the folder of the data set, if it is not the one in the run's config.yaml any more.
        overwrite: replace a gallery that exists.

    Raises:
        DataError: there is no such file or folder, or no picture; or a gallery exists.
        ValueError: the checkpoint cannot be read, or options of a run are given for a folder of pictures.
    """
    folder = Path(source)
    if folder.is_dir() and not is_run(folder):
        for name, value in ("split", split), ("root", root):
            if value is not None:
                raise ValueError(f"{name} is an option for runs, and {folder} is none: it has no config.yaml")
        page = gallery_of_folder(folder, folder / "gallery" if out is None else Path(out), overwrite)
    else:
        page = Pix2PixGallery(source, out=out, split=split, root=root).write(overwrite)
    print(f"gallery: {page}")


class Pix2PixGallery(RunGallery):
    """The gallery of a run of pix2pix."""

    program = "pix2pix"
    data_type = PairedImages
    notes: ClassVar[Mapping[str, str]] = {"difference": DIFFERENCE}

    def load(self) -> Pix2Pix:
        """Rebuild the model."""
        if "generator" not in read_checkpoint(self.checkpoint)["hyper_parameters"]:
            raise ValueError(f"{self.checkpoint}: a checkpoint of another model than pix2pix")
        return Pix2Pix.load_from_checkpoint(self.checkpoint, map_location="cpu")

    def draw(self, model: Model, batch: Any, outputs: Tensor) -> dict[str, Tensor]:
        """Draw input, output, target and difference."""
        return model.draw(batch, outputs) | {
            "difference": draw_difference(outputs, batch["target"], batch.get("known"))
        }


def draw_difference(output: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
    """Draw how far pictures are from their targets, as ``DIFFERENCE`` says: N x 3 x H x W in [0, 1].

    Args:
        output: N x C x H x W in [-1, 1].
        target: the same.
        known: N x 1 x H x W; what is unknown is drawn as no difference.
    """
    error = (unit_range(output.float()) - unit_range(target.float())).abs().mean(1)
    return heat((error if known is None else error * known[:, 0]) / BRIGHTEST)


def gallery_of_folder(folder: Path, out: Path, overwrite: bool = False) -> Path:
    """Write the gallery of a folder of pictures.

    Args:
        folder: with ``input``, ``output`` and ``target`` in it, or some of them; or with any pictures.
        out: where to write it.
        overwrite: whether a gallery that is there is replaced.

    Returns:
        The file of the page.

    Raises:
        DataError: there is no picture, one cannot be read, or output and target differ in size.
    """
    found = read_columns(folder, out)
    gallery = GalleryFolder(out, len(found), overwrite)
    for name, files in found.items():
        opened = {column: open_picture(file) for column, file in files.items()}
        pictures = {column: drawn(picture) for column, picture in opened.items()}
        metrics: dict[str, float] = {}
        if both := _output_and_target(opened):
            output, target, window = both
            metrics = {key: values.item() for key, values in measure_pictures(output, target, window).items()}
            pictures["difference"] = to_picture(draw_difference(output, target)[0])
        shown = {column: file for column, file in files.items() if file.suffix.lower() in BROWSERS_SHOW}
        gallery.add(name, pictures, metrics, shown)
    columns = dict.fromkeys(column for item in gallery.items for column in item.pictures)
    measured = any(item.metrics for item in gallery.items)
    words = ["pix2pix", "gallery", str(folder), "--out", str(out)]
    return gallery.write(
        About(
            title=folder.resolve().name,
            lines=[[column for column in ("input", "output", "target", "picture", "difference") if column in columns]],
            better=BETTER if measured else {},
            facts=[f"{len(found)} picture{'s' * (len(found) != 1)} of {folder}"],
            notes=Pix2PixGallery.notes if measured else {},
            command=f"python -m {shlex.join(words)}",
        )
    )


def _output_and_target(opened: Mapping[str, Picture]) -> tuple[Tensor, Tensor, tuple[float, float]] | None:
    """Return each in [-1, 1] as a batch, and the range of the target's files; None without both, or of floats."""
    if not {"output", "target"} <= opened.keys():
        return None
    output, target = opened["output"], opened["target"]
    if "f" in output.dtype.kind + target.dtype.kind:
        return None
    if output.size != target.size:
        raise DataError(f"{output.name}: {sizes_differ(output, target)} as {target.name}")
    format = PictureFormat(target.channels)
    batch = [format.to_network(format.read(picture))[None] for picture in (output, target)]
    return batch[0], batch[1], range_of(target.dtype)
