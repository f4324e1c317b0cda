"""The data module of scenes."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator
from torch.utils.data import Dataset

from multitask.data.batches import collate
from multitask.data.rooms import Rooms
from multitask.data.scenes import Scene, Scenes
from training import DataError, ResumableData, run_seed, seed_of

Augmentation = Callable[[Scene, Generator], Scene]


class SceneData(ResumableData):
    """The scenes of a layout on disk, in batches as ``collate`` makes them.

    A scene's augmentation depends on the run's seed, the epoch and the scene alone, and an epoch's order on the seed
    and the epoch. The trainer is to leave the sampler as it is: ``Trainer(use_distributed_sampler=False)``.

    Args:
        layout: how scenes lie on disk: ``Rooms``, which come with this package; ``Folders`` or ``MTAN``, with their
            ``root``; or a class of your own that is made like these.
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
        layout: Callable[[str], Scenes] = Rooms,
        augmentation: Augmentation | None = None,
        batch_size: int = 16,
        num_workers: int = 2,
        train_split: str = "train",
        val_split: str = "val",
        test_split: str = "test",
    ) -> None:
        super().__init__(batch_size, num_workers)
        self.layout = layout
        self.augmentation = augmentation
        self.names = {"train": train_split, "val": val_split, "test": test_split}
        self.splits: dict[str, Scenes] = {}

    def scenes(self, split: str) -> Scenes:
        """Give the scenes of ``train``, ``val`` or ``test`` as they lie on disk."""
        if split not in self.splits:
            self.splits[split] = self.layout(self.names[split])
        return self.splits[split]

    def dataset(self, split: str, augment: bool = False) -> "SceneDataset":
        """Give the scenes of ``train``, ``val`` or ``test`` as the network sees them: ``dataset[epoch, index]``.

        Args:
            split: which.
            augment: as in training; otherwise as in evaluation, where nothing is random.
        """
        return SceneDataset(self.scenes(split), self.augmentation if augment else None)

    def check_targets(self, split: str, targets: Mapping[str, str]) -> None:
        """Insist that each task finds its target, with something known in it, in one scene at least.

        Args:
            split: ``train``, ``val`` or ``test``.
            targets: of the tasks, by their names.

        Raises:
            DataError: names the task and its target.
        """
        missing = dict(targets)
        scenes = self.scenes(split)
        for index in range(len(scenes)):  # most often the first has them all
            batch = collate([scenes[index]])
            missing = {task: target for task, target in missing.items() if target not in batch}
            if not missing:
                return
        for task, target in missing.items():
            raise DataError(
                f"task {task}: none of the {len(scenes)} scenes of {self.names[split]} has {target}; "
                "give some of them labels, or leave the task out"
            )

    def collate(self, samples: list[Scene]) -> Scene:
        """Make a batch of scenes; see ``collate``."""
        return collate(samples)


class SceneDataset(Dataset[Scene]):
    """Scenes as the network sees them, by (epoch, index).

    Args:
        scenes: what lies on disk.
        augmentation: what is done to them, if anything.
    """

    def __init__(self, scenes: Scenes, augmentation: Augmentation | None) -> None:
        self.scenes = scenes
        self.augmentation = augmentation

    def __len__(self) -> int:
        """Count the scenes."""
        return len(self.scenes)

    def __getitem__(self, key: tuple[int, int]) -> Any:
        """Read one scene and augment it."""
        epoch, index = key
        scene = self.scenes[index]
        if self.augmentation is None:
            return scene
        random = torch.Generator().manual_seed(seed_of("augment", run_seed(), epoch, index))
        return self.augmentation(scene, random)
