"""``multitask gallery``: what a model predicts for every scene, on one page."""

from collections.abc import Sequence
from typing import Literal

from multitask.data import SceneData
from multitask.module import MultiTask
from multitask.predictor import load
from training.gallery import RunGallery


def gallery(
    source: str,
    *,
    out: str | None = None,
    split: Literal["test", "val"] | None = None,
    root: str | None = None,
    overwrite: bool = False,
) -> None:
    """Show what a model predicts for every scene on one page: to sort, filter and compare.

    For each scene of a split the image, then for each task the target and below it the prediction, with those metrics
    of the tasks that say something of one picture. The page is one HTML file that needs no network and no server; the
    full pictures and pictures.csv lie beside it.

    Args:
        source: a run's folder, of which the best checkpoint is taken, or a checkpoint in one.
        out: the folder to write to; null is ``gallery`` in the run.
        split: which scenes: ``test`` or ``val``; null is ``test``, or ``val`` where there is no test.
        root: the data set's folder, where it is not that of the run's config.yaml any more.
        overwrite: replace a gallery that exists.

    Raises:
        DataError: there is no such file or folder; or a gallery exists.
        ValueError: the checkpoint cannot be read.
    """
    page = MultiTaskGallery(source, out=out, split=split, root=root).write(overwrite)
    print(f"gallery: {page}")


class MultiTaskGallery(RunGallery):
    """The gallery of a run of several tasks."""

    program = "multitask"
    data_type = SceneData

    def load(self) -> MultiTask:
        """Rebuild the model."""
        return load(self.checkpoint)

    def lines(self, titles: Sequence[str]) -> list[list[str | None]]:
        """Return the image and the targets, and below these the predictions."""
        image, *others = titles
        return [[image, *others[::2]], [None, *others[1::2]]]
