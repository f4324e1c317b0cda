"""The data module of paired pictures."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from torch import Generator, Tensor
from torch.utils.data import default_collate

from inference import DataError, Picture
from inference.pictures import NaN, Window
from pix2pix.data.formats import UNKNOWN, Direction, PairFormats, Values, directed
from pix2pix.data.pairs import Pairs, SideBySide
from pix2pix.data.transforms import PairTransform, Side, Size
from training.data import Cache, CacheableDataset, OnBadSample, ResumableData, Split


class Pair(TypedDict):
    """One sample: pictures C x H x W in [-1, 1], and the pair's name; with ``nan: mask`` also what is known of it."""

    input: Tensor
    target: Tensor
    name: str
    known: NotRequired[Tensor]


class PairedImages(ResumableData[Pairs]):
    """Pairs of pictures on disk: ``root/train``, ``root/val`` and ``root/test``.

    Batches are dictionaries: ``input`` and ``target``, N x C x H x W in [-1, 1], and ``name``, N strings; with
    ``nan: mask`` also ``known``, N x 1 x H x W, False where a pixel of input or target is NaN.

    A picture's augmentation depends on the run's seed, the epoch and the picture alone, and an epoch's order on the
    seed and the epoch. The trainer must leave the sampler as it is: ``Trainer(use_distributed_sampler=False)``.

    Args:
        root: the data set's folder.
        layout: how pairs are stored in it: ``SideBySide`` (A and B are the halves of one picture), ``TwoFolders`` (A
            and B in folders of their own), ``Parquet``, ``Stacks`` (slices and their neighbors), ``Emoji`` (drawn there
            when they are missing), or a class of your own with the same first arguments.
        direction: AtoB makes A the input and B the target; BtoA the other way round.
        load_size: height and width to which training pictures are resized before cropping, one number for squares;
            null keeps their scale, and reads no more than the crop if the format allows that.
        crop_size: height and width of the random crop; null takes the whole picture. Evaluation resizes whole pictures
            to it, or without a load_size takes their center.
        flip: whether half of the training pairs are mirrored left to right.
        label_maps: which side holds labels (flat colors) rather than photographs: input, target or both; they are
            resized without mixing colors.
        color_jitter: how much brightness, contrast and saturation of the training inputs change, in [0, 1): 0.2 is a
            factor from 0.8 to 1.2 each. For 1 or 3 input channels.
        input_channels: channels of inputs. 1 (gray), 3 (RGB) and 4 (RGBA) are converted to one another; any other
            number must match the files.
        target_channels: channels of targets, in the same way.
        input_window: the lowest and the highest value of inputs in their own units, which become -1 and 1; values
            outside are clipped. auto is the range of a file's integers; for floating point the 0.1 and 99.9 percentiles
            of the training split, which are printed and stored in checkpoints.
        target_window: the same of targets; predictions are written in these units.
        input_labels: the number of classes, if inputs are label maps whose values (or palette indices) are classes
            from 0; each becomes a channel, and input_channels is ignored.
        nan: whether NaN pixels of floating point files are an error, or mask: unknown, and left out of losses and
            metrics.
        batch_size: pairs in a batch, for each process.
        num_workers: processes that load pictures; 0 loads them in the main one. null takes as many as this process has
            cores, 8 at most.
        train_split: the folder of the training pairs.
        val_split: the folder of the pairs that choose the best checkpoint.
        test_split: the folder of the pairs of ``test`` and ``predict``.
        on_bad_sample: what happens when a training pair cannot be read: raise ends the run; with skip the next one
            takes its place, and the run lists at its end what was left out.
        cache: where training and validation pairs are kept, decoded and resized, so that each file is read only once:
            disk is a file in root/cache, for this run and later ones; memory is shared by the workers, for this run;
            null reads files each time. Pictures are the same, bit for bit.

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
        input_channels: int = 3,
        target_channels: int = 3,
        input_window: Window | Literal["auto"] = "auto",
        target_window: Window | Literal["auto"] = "auto",
        input_labels: int | None = None,
        nan: NaN = "error",
        batch_size: int = 1,
        num_workers: int | None = None,
        train_split: str = "train",
        val_split: str = "val",
        test_split: str = "test",
        on_bad_sample: OnBadSample = "raise",
        cache: Cache | None = None,
    ) -> None:
        splits = train_split, val_split, test_split
        super().__init__(root, layout, batch_size, num_workers, *splits, on_bad_sample, cache)
        self.values = (
            Values("input", input_channels, input_window, input_labels, nan).check(),
            Values("target", target_channels, target_window, None, nan).check(),
        )
        if color_jitter and (input_labels or input_channels not in (1, 3)):
            raise ValueError(f"color_jitter works on 1 or 3 input_channels; got {input_labels or input_channels}")
        self.direction = direction
        self.transform = PairTransform(load_size, crop_size, flip, label_maps, color_jitter)
        self._formats: PairFormats | None = None

    @property
    def formats(self) -> PairFormats:
        """The formats of input and target, found in the training split or given by a checkpoint.

        Raises:
            DataError: the training split is missing, or its pictures do not fit the options.
        """
        if self._formats is None:
            self._formats = PairFormats.find(self._training_pairs(), self.direction, self.values)
        return self._formats

    def _training_pairs(self) -> Pairs:
        """Return the training split; or, where data without one are only evaluated, the first that is there."""
        splits: tuple[Split, ...] = ("val", "test")
        try:
            return self.layout("train")
        except DataError:
            for split in splits:
                with suppress(DataError):
                    return self.layout(split)
            raise

    def describe(self) -> list[str]:
        """Describe the windows of values, where they are not the whole range of the files' integers."""
        return self.formats.describe()

    def what_models_need(self) -> dict[str, Any]:
        """Return the formats."""
        return self.formats.as_dict()

    def take_over(self, known: Mapping[str, Any]) -> None:
        """Take the formats of a checkpoint."""
        formats = PairFormats.of(known)
        for options, format in zip(self.values, (formats.input, formats.target), strict=True):
            options.check_against(format)
        self._formats = formats

    def dataset(self, split: Split, augment: bool = False) -> "PairDataset":
        """Return the pairs of ``train``, ``val`` or ``test`` as the networks see them: ``dataset[epoch, index]``.

        Args:
            split: which.
            augment: as in training; otherwise as in evaluation, where nothing is random.
        """
        pairs, bad = self.layout(split), self.bad(split)
        return PairDataset(pairs, self.transform, self.direction, self.formats, augment, bad)

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


class PairDataset(CacheableDataset[Pairs]):
    """Pairs as the networks see them, by (epoch, index).

    Args:
        pairs: what lies on disk.
        transform: turns it into what the networks see.
        direction: which of A and B is the input.
        formats: of input and target.
        augment: as in training.
        bad: as for :class:`training.data.EpochDataset`.
    """

    def __init__(
        self,
        pairs: Pairs,
        transform: PairTransform,
        direction: Direction,
        formats: PairFormats,
        augment: bool,
        bad: Tensor | None = None,
    ) -> None:
        super().__init__(pairs, augment, bad)
        self.transform = transform
        self.direction = direction
        self.formats = formats

    def whole(self, index: int) -> dict[str, Tensor]:
        """Read one pair and resize it."""
        pictures = self._pictures(index)
        with self._named(index):
            source, target = self.transform.whole(pictures, self.formats[:2], self.augment)
        return {"input": source, "target": target}

    def settings(self) -> str:
        """Return what a pair depends on beside its files, up to where something random is done to it."""
        return f"{self.direction} {self.formats[:2]} {self.transform.settings(self.augment)}"

    def sample(self, index: int, random: Generator | None) -> Pair:
        """Read one pair and transform it."""
        if kept := self.kept(index):
            with self._named(index):
                source, target = self.transform.finish((kept["input"], kept["target"]), self.formats[:2], random)
        else:
            pictures = self._pictures(index)
            with self._named(index):
                source, target = self.transform(pictures, self.formats[:2], random)
        pair: Pair = {"input": source, "target": target, "name": self.layout.names[index]}
        if self.formats.target.nan == "mask":
            pair["known"] = ~(source.isnan().any(0, keepdim=True) | target.isnan().any(0, keepdim=True))
            pair["input"], pair["target"] = source.nan_to_num(UNKNOWN), target.nan_to_num(UNKNOWN)
        return pair

    def _pictures(self, index: int) -> tuple[Picture, Picture]:
        pictures = directed(self.layout.read(index), self.direction)
        self.formats.check(*pictures)
        return pictures

    @contextmanager
    def _named(self, index: int) -> Iterator[None]:
        """Let errors name the pair."""
        try:
            yield
        except DataError:
            raise
        except ValueError as error:
            raise DataError(f"{self.layout.names[index]}: {error}") from None
