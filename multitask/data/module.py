"""The data module of scenes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Generator

from inference import DataError
from multitask.data.batches import collate
from multitask.data.rooms import Rooms
from multitask.data.scenes import Scene, Scenes
from training.data import EpochDataset, ResumableData, Split

Augmentation = Callable[[Scene, Generator], Scene]


class SceneData(ResumableData[Scenes]):
    """The scenes of a layout on disk, in batches as ``collate`` builds them.

    A scene's augmentation depends on the run's seed, the epoch and the scene alone, and an epoch's order on the seed
    and the epoch. The trainer must leave the sampler as it is: ``Trainer(use_distributed_sampler=False)``.

    Args:
        root: the data set's folder; null for ``Rooms``, which come with this package.
        layout: how scenes lie in it: ``Rooms``, ``Folders``, ``MTAN``, or a class of your own that is built like these.
        augmentation: what is done to training scenes, such as ``RandomScaleCropFlip``; null leaves them as they are.
        batch_size: scenes in a batch, for each process.
        num_workers: processes that load scenes; 0 loads them in the main one.
        train_split: the split that is trained on.
        val_split: the split that chooses the best checkpoint.
        test_split: the split of ``test`` and ``predict``.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        layout: Callable[[Any, str], Scenes] = Rooms,
        augmentation: Augmentation | None = None,
        batch_size: int = 16,
        num_workers: int = 2,
        train_split: str = "train",
        val_split: str = "val",
        test_split: str = "test",
    ) -> None:
        super().__init__(root, layout, batch_size, num_workers, train_split, val_split, test_split)
        self.augmentation = augmentation

    def dataset(self, split: Split, augment: bool = False) -> "SceneDataset":
        """Return the scenes of ``train``, ``val`` or ``test`` as the network sees them: ``dataset[epoch, index]``.

        Args:
            split: which.
            augment: as in training; otherwise as in evaluation, where nothing is random.
        """
        return SceneDataset(self.layout(split), self.augmentation if augment else None)

    def check_targets(self, split: Split, targets: Mapping[str, str]) -> None:
        """Require that each task finds its target, with something known in it, in one scene at least.

        Args:
            split: ``train``, ``val`` or ``test``.
            targets: of the tasks, by their names.

        Raises:
            DataError: names the task and its target.
        """
        missing = dict(targets)
        scenes = self.layout(split)
        for index in range(len(scenes)):  # most often the first has them all
            batch = collate([scenes[index]])
            missing = {task: target for task, target in missing.items() if target not in batch}
            if not missing:
                return
        for task, target in missing.items():
            raise DataError(
                f"task {task}: none of the {len(scenes)} scenes of {self.split_names[split]} has {target}; "
                "give some of them labels, or leave the task out"
            )

    @staticmethod
    def collate(samples: Sequence[Scene]) -> Scene:
        """Build a batch of scenes; see :func:`multitask.data.collate`."""
        return collate(samples)


class SceneDataset(EpochDataset[Scenes]):
    """Scenes as the network sees them, by (epoch, index).

    Args:
        scenes: what lies on disk.
        augmentation: what is done to them, if anything.
    """

    def __init__(self, scenes: Scenes, augmentation: Augmentation | None) -> None:
        super().__init__(scenes, augmentation is not None)
        self.augmentation = augmentation

    def sample(self, index: int, random: Generator | None) -> Scene:
        """Read one scene and augment it."""
        scene = self.layout[index]
        if self.augmentation is None or random is None:
            return scene
        return self.augmentation(scene, random)
