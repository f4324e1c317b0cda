"""The data module of scenes."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Generator, Tensor

from inference import DataError
from inference.sizes import Size, height_width
from multitask.data.batches import collate
from multitask.data.rooms import Rooms
from multitask.data.scenes import Scene, Scenes
from multitask.data.transforms import resize_scene
from training.data import EpochDataset, OnBadSample, ResumableData, Split

Augmentation = Callable[[Scene, Generator], Scene]


class SceneData(ResumableData[Scenes]):
    """The scenes of a layout on disk, in batches as ``collate`` builds them.

    A scene's augmentation depends on the run's seed, the epoch and the scene alone, and an epoch's order on the seed
    and the epoch. The trainer must leave the sampler as it is: ``Trainer(use_distributed_sampler=False)``.

    Args:
        root: the data set's folder; null for ``Rooms``, which come with this package.
        layout: how scenes are stored in it: ``Rooms``, ``Folders``, ``MTAN``, or a class of your own with the same
            first arguments.
        augmentation: what is done to training scenes, such as ``RandomScaleCropFlip``; null leaves them as they are.
        batch_size: scenes in a batch, for each process.
        num_workers: processes that load scenes; 0 loads them in the main one. null takes as many as this process has
            cores, 8 at most.
        train_split: the split that is trained on.
        val_split: the split that chooses the best checkpoint.
        test_split: the split of ``test``, and of the trainer's ``predict``.
        resize: height and width, or one number for squares, that all scenes are resized to, before augmentation: images
            interpolated, maps from the nearest pixels, boxes scaled. The trained model then resizes the pictures that
            it predicts by itself. null keeps the size of scenes.
        pad: whether scenes of different sizes are padded to the largest of their batch: the image with black, the
            targets with what is unknown.
        on_bad_sample: what happens when a training scene cannot be read: raise ends the run; with skip the next one
            takes its place, and the run lists at its end what was left out.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        layout: Callable[[Any, str], Scenes] = Rooms,
        augmentation: Augmentation | None = None,
        batch_size: int = 16,
        num_workers: int | None = None,
        train_split: str = "train",
        val_split: str = "val",
        test_split: str = "test",
        resize: int | Size | None = None,
        pad: bool = False,
        on_bad_sample: OnBadSample = "raise",
    ) -> None:
        super().__init__(root, layout, batch_size, num_workers, train_split, val_split, test_split, on_bad_sample)
        self.augmentation = augmentation
        self.resize = height_width("resize", resize)
        self.pad = pad
        self.check: Callable[[Scene], None] | None = None  # of batches; set by the model, which knows its tasks

    def what_models_need(self) -> dict[str, Any]:
        """Return the size that scenes are resized to, if they are."""
        return {} if self.resize is None else {"resize": list(self.resize)}

    def take_over(self, known: Mapping[str, Any]) -> None:
        """Resize scenes as for the training of a checkpoint.

        Raises:
            ValueError: the data's own ``resize`` is another.
        """
        trained = height_width("resize", known["resize"])
        if self.resize not in (None, trained):
            raise ValueError(f"resize is {self.resize}, and {trained} in the checkpoint; leave it out")
        self.resize = trained

    def dataset(self, split: Split, augment: bool = False) -> "SceneDataset":
        """Return the scenes of ``train``, ``val`` or ``test`` as the network sees them: ``dataset[epoch, index]``.

        Args:
            split: which.
            augment: as in training; otherwise as in evaluation, where nothing is random.
        """
        augmentation = self.augmentation if augment else None
        return SceneDataset(self.layout(split), augmentation, self.resize, self.bad(split))

    def check_targets(self, split: Split, targets: Mapping[str, str]) -> None:
        """Require that each task finds its target, with something known in it, in one scene at least.

        Args:
            split: ``train``, ``val`` or ``test``.
            targets: of the tasks, by their names.

        Raises:
            DataError: names the task and its target.
        """
        missing = dict(targets)
        scenes = self.dataset(split)
        for index in range(len(scenes)):  # most often the first has them all
            batch = collate([scenes[0, index]])
            missing = {task: target for task, target in missing.items() if target not in batch}
            if not missing:
                return
        for task, target in missing.items():
            raise DataError(
                f"task {task}: none of the {len(scenes)} scenes of {self.split_names[split]} has {target}; "
                "give some of them labels, or leave the task out"
            )

    @property
    def collate(self) -> Callable[[Sequence[Scene]], Scene]:  # not a method, so that workers are sent no data module
        """What builds a batch of scenes, and checks it; see :func:`multitask.data.collate`."""
        return partial(_checked, pad=self.pad, check=self.check)


def _checked(scenes: Sequence[Scene], pad: bool, check: Callable[[Scene], None] | None) -> Scene:
    batch = collate(scenes, pad)
    if check is not None:
        check(batch)
    return batch


class SceneDataset(EpochDataset[Scenes]):
    """Scenes as the network sees them, by (epoch, index).

    Args:
        scenes: what lies on disk.
        augmentation: what is done to them, if anything.
        size: height and width that they are resized to before, if they are.
        bad: as for :class:`training.data.EpochDataset`.
    """

    def __init__(
        self, scenes: Scenes, augmentation: Augmentation | None, size: Size | None, bad: Tensor | None = None
    ) -> None:
        super().__init__(scenes, augmentation is not None, bad)
        self.augmentation = augmentation
        self.size = size

    def sample(self, index: int, random: Generator | None) -> Scene:
        """Read one scene, resize and augment it."""
        scene = self.layout[index]
        if self.size is not None:
            scene = resize_scene(scene, self.size)
        if self.augmentation is None or random is None:
            return scene
        return self.augmentation(scene, random)
