"""The data module of paired pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypedDict

from torch import Generator, Tensor
from torch.utils.data import default_collate

from inference import DataError
from pix2pix.data.images import MODES, as_tensor
from pix2pix.data.pairs import Pairs, SideBySide
from pix2pix.data.transforms import PairTransform, Side, Size
from training.data import EpochDataset, ResumableData, Split

Direction = Literal["AtoB", "BtoA"]


class Pair(TypedDict):
    """One sample: pictures C x H x W in [-1, 1], and the pair's name."""

    input: Tensor
    target: Tensor
    name: str


class PairedImages(ResumableData[Pairs]):
    """Pairs of pictures on disk: ``root/train``, ``root/val`` and ``root/test``.

    Batches are dictionaries: ``input`` and ``target``, N x C x H x W in [-1, 1], and ``name``, N strings.

    A picture's augmentation depends on the run's seed, the epoch and the picture alone, and an epoch's order on the
    seed and the epoch. The trainer must leave the sampler as it is: ``Trainer(use_distributed_sampler=False)``.

    Args:
        root: the data set's folder.
        layout: how pairs lie in it: ``SideBySide`` (A and B are the halves of one picture), ``TwoFolders`` (A and B in
            folders of their own), ``Parquet``, ``Emoji`` (drawn there when they are missing), or a class of your own
            that is built like these.
        direction: AtoB makes A the input and B the target; BtoA the other way round.
        load_size: height and width that training pictures are resized to before cropping, one number for squares;
            null leaves them as they are.
        crop_size: height and width of what is cut out of that at random; null takes the whole. Evaluation resizes whole
            pictures to it.
        flip: whether half of the training pairs are mirrored left to right.
        label_maps: which side holds labels (flat colors) and not photographs: input, target or both; they are resized
            without mixing colors.
        color_jitter: how much brightness, contrast and saturation of the training inputs change, in [0, 1): 0.2 is a
            factor from 0.8 to 1.2 each. For 1 or 3 input channels.
        input_channels: channels that inputs are converted to: 1 (gray), 3 (RGB) or 4 (RGBA).
        target_channels: channels that targets are converted to: 1, 3 or 4.
        batch_size: pairs in a batch, for each process.
        num_workers: processes that load pictures; 0 loads them in the main one.
        train_split: the folder of the training pairs.
        val_split: the folder of the pairs that choose the best checkpoint.
        test_split: the folder of the pairs of ``test`` and ``predict``.

    Raises:
        ValueError: an option outside its range.
    """

    def __init__(
        self,
        root: str | Path,
        layout: Callable[[Path, str], Pairs] = SideBySide,
        direction: Direction = "AtoB",
        load_size: Size | None = 286,
        crop_size: Size | None = 256,
        flip: bool = True,
        label_maps: Side | None = None,
        color_jitter: float = 0.0,
        input_channels: Literal[1, 3, 4] = 3,
        target_channels: Literal[1, 3, 4] = 3,
        batch_size: int = 1,
        num_workers: int = 2,
        train_split: str = "train",
        val_split: str = "val",
        test_split: str = "test",
    ) -> None:
        super().__init__(root, layout, batch_size, num_workers, train_split, val_split, test_split)
        for name, channels in ("input_channels", input_channels), ("target_channels", target_channels):
            if channels not in MODES:
                raise ValueError(f"{name} must be 1, 3 or 4; got {channels}")
        if color_jitter and input_channels == 4:
            raise ValueError("color_jitter works on 1 or 3 input_channels; got 4")
        self.direction = direction
        self.transform = PairTransform(load_size, crop_size, flip, label_maps, color_jitter)
        self.channels = (input_channels, target_channels)

    def dataset(self, split: Split, augment: bool = False) -> "PairDataset":
        """Return the pairs of ``train``, ``val`` or ``test`` as the networks see them: ``dataset[epoch, index]``.

        Args:
            split: which.
            augment: as in training; otherwise as in evaluation, where nothing is random.
        """
        return PairDataset(self.layout(split), self.transform, self.direction, self.channels, augment)

    @staticmethod
    def collate(samples: list[Pair]) -> dict[str, Any]:
        """Build a batch of pairs.

        Raises:
            DataError: their sizes differ.
        """
        first = samples[0]["input"].shape
        for pair in samples:
            if (shape := pair["input"].shape) != first:
                raise DataError(
                    f"{pair['name']}: {shape[1]} x {shape[2]} pixels (height x width), while {samples[0]['name']} of "
                    f"the same batch has {first[1]} x {first[2]}; set load_size or crop_size, or batch_size to 1"
                )
        batch: dict[str, Any] = default_collate(samples)
        return batch


class PairDataset(EpochDataset[Pairs]):
    """Pairs as the networks see them, by (epoch, index).

    Args:
        pairs: what lies on disk.
        transform: turns it into what the networks see.
        direction: which of A and B is the input.
        channels: of input and target.
        augment: as in training.
    """

    def __init__(
        self,
        pairs: Pairs,
        transform: PairTransform,
        direction: Direction,
        channels: tuple[int, int],
        augment: bool,
    ) -> None:
        super().__init__(pairs, augment)
        self.transform = transform
        self.direction = direction
        self.channels = channels

    def sample(self, index: int, random: Generator | None) -> Pair:
        """Read one pair and transform it."""
        a, b = self.layout.read(index)
        images = (a, b) if self.direction == "AtoB" else (b, a)
        source, target = (as_tensor(*each) for each in zip(images, self.channels, strict=True))
        name = self.layout.names[index]
        try:
            source, target = self.transform(source, target, random)
        except ValueError as error:
            raise DataError(f"{name}: {error}") from None
        return {"input": source, "target": target, "name": name}
