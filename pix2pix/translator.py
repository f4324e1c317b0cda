"""Translate pictures of any size and kind with a trained model."""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode

from inference import DataError, Picture, build, open_picture, read_checkpoint, write_picture
from inference.files import Job, pictures_named
from inference.geometry import Geometry, geometry_of
from inference.modes import InferenceMode, declared_mode, in_mode, run
from inference.pictures import Array, Axes, PictureFormat
from inference.pictures.files import check_format, ending_for
from inference.pictures.tiff import write_tiff_tiles
from inference.predictor import Precision, Predictor
from inference.sizes import Box, pad
from inference.tiles import Plan, Tile, default_tile, plan_tiles, run_in_tiles
from pix2pix.data.formats import UNKNOWN, PairFormats
from pix2pix.data.transforms import Size, height_width, resize
from pix2pix.generators import Generator

if TYPE_CHECKING:
    from pix2pix.module import Pix2Pix

KEEPS_ALL = (".tif", ".tiff", ".npy")  # endings that results of pictures that have them have too
WHOLE = 1024  # pictures with no longer side are run whole, however little memory there is


class Trained(NamedTuple):
    """What a checkpoint holds for translation."""

    generator: Generator
    formats: PairFormats
    mode: InferenceMode


class Translator(Predictor):
    """Translate pictures with a trained model, as its checkpoint says: channels, values, depth and inference mode.

    Called with pictures, it returns their translations:

        >>> translator = Translator("runs/emoji/2026-01-01/checkpoints/best.ckpt")  # doctest: +SKIP
        >>> photo = translator("photo.jpg")  # height x width x channels  # doctest: +SKIP

    A picture of any size is padded to what the generator takes, by reflection, and its translation cut to its size. One
    that is larger than a tile is translated in tiles, to the same result; see ``inference.tiles``.

    Args:
        model: a checkpoint's file, or a model.
        device: where it runs: ``cpu``, ``cuda``, ``cuda:1``; ``auto`` is a GPU if there is one.
        precision: ``32``, or ``bf16``: faster on GPUs, and precise to about 8 bits.
        batch_size: how many pictures, or tiles, run together, at least 1.
        tile: the longest side that is translated whole; by default what fits into half of the free memory.
        size: height and width, or one number for squares, that pictures are resized to before; null translates them at
            their own size.
        axes: how the arrays of files lie, ``yxc`` or ``cyx``; null is as in training.
        inference: the inference mode, a preset or an ``InferenceMode``; null is the model's own.

    Raises:
        ValueError: the checkpoint cannot be read, an option is outside its range, or the device is not there.
    """

    def __init__(
        self,
        model: "str | Path | Pix2Pix",
        *,
        device: str = "auto",
        precision: Precision = "32",
        batch_size: int = 8,
        tile: int | None = None,
        size: Size | None = None,
        axes: Axes | None = None,
        inference: "str | InferenceMode | None" = None,
    ) -> None:
        trained = (
            load(Path(model))
            if isinstance(model, str | Path)
            else Trained(model.generator, model.formats, model.inference)
        )
        super().__init__(
            trained.generator,
            device=device,
            precision=precision,
            batch_size=batch_size,
            axes=axes or trained.formats.axes,
        )
        if tile is not None and tile < 1:
            raise ValueError(f"tile must be at least 1; got {tile}")
        self.generator = trained.generator
        self.formats = trained.formats
        self.mode = trained.mode if inference is None else declared_mode(inference)
        self.size = height_width("size", size)
        self._tile = tile
        self._clipped = self._values = 0
        self._seams: list[str] = []

    def __call__(self, pictures: Any) -> Any:
        """Translate one picture, or a list of them.

        Args:
            pictures: the path of a file, a NumPy array (height x width x channels), a tensor (channels x height x
                width), a picture of Pillow's, or a :class:`inference.Picture`; or a list of these. Their numbers are
                those of files: 0 to 255 in uint8, and so on.

        Returns:
            The translation in the form of the target's files: for a tensor a tensor, for a picture of Pillow's one of
            these where Pillow has its kind, otherwise an array; for a list a list.

        Raises:
            DataError: a picture cannot be read, or has channels that do not fit.
        """
        if isinstance(pictures, list | tuple):
            arrays = self.results(self._open_any(each) for each in pictures)
            return [like(array, each) for array, each in zip(arrays, pictures, strict=True)]
        return like(next(self.results([self._open_any(pictures)])), pictures)

    def _open_any(self, value: Any) -> Picture:
        return self.open(Path(value)) if isinstance(value, str | Path) else Picture.of(value)

    # --- files

    def open(self, file: Path) -> Picture:
        """Open an input; where several pictures are stacked to one, with those of its name in the other folders."""
        first, *others = self.formats.stack or (file.parent.name,)
        folder = next((parent for parent in file.parents if parent.name == first), file.parent)
        files = [file]
        for other in others:
            there = folder.with_name(other) / file.relative_to(folder).parent
            files.append(pictures_named(file.stem, there))
        return Picture.stack([open_picture(each, axes=self.axes) for each in files])

    def sources(self, inputs: Sequence[Path]) -> list[Path]:
        """Return where to look for pictures: where several are stacked to an input, in the first of their folders."""
        if not self.formats.stack:
            return list(inputs)
        for folder in inputs:
            for name in self.formats.stack:
                if not (folder / name).is_dir():
                    raise DataError(
                        f"{folder / name}: no such folder; the model translates pictures of the folders "
                        f"{', '.join(self.formats.stack)}, stacked: give the folder that holds these"
                    )
        return [folder / self.formats.stack[0] for folder in inputs]

    def targets(self, job: Job, picture: Picture) -> list[Path]:
        """Return the file of the translation: TIFF and NPY stay what they are, other pictures become PNG, or TIFF."""
        target = self.formats.target
        channels = 1 if target.labels else target.channels
        if job.target is not None:
            check_format(job.target, np.dtype(target.dtype), channels)
            return [job.target]
        ending = job.source.suffix.lower()
        ending = ending if ending in KEEPS_ALL else ending_for(np.dtype(target.dtype), channels)
        return [job.stem.with_name(job.stem.name + ending)]

    def write(self, job: Job, picture: Picture, result: Array) -> None:
        """Write a translation."""
        write_picture(self.targets(job, picture)[0], result)

    def notes(self) -> list[str]:
        """Return how much was clipped, and where tiles had to be blended."""
        notes = self._seams
        if self._clipped:
            low, high = self.formats.input.window or ("the lowest", "highest value")
            share = self._clipped / self._values
            notes = [*notes, f"{share:.2%} of the input values lie outside of {low} to {high}, and were clipped"]
        self._clipped, self._values, self._seams = 0, 0, []
        return notes

    # --- one picture

    def prepare(self, picture: Picture) -> Tensor:
        """Read a picture for the generator: C x H x W in [-1, 1]; NaN where it is unknown."""
        format = self.formats.input
        array = format.source(picture).read()
        self._values += array.size
        self._clipped += format.clipped(array) if format.window is not None else 0
        values = format.to_values(array, picture.name)
        if self.size is not None:
            exact = format.labels is not None
            values = resize(values, self.size, InterpolationMode.NEAREST_EXACT if exact else InterpolationMode.BICUBIC)
        return format.to_network(values)

    def run(self, pictures: Tensor) -> Tensor:
        """Translate N x C x H x W in [-1, 1], of any size."""
        height, width = pictures.shape[-2:]
        padded = pad(pictures.nan_to_num(UNKNOWN), self.generator.stride, self._least)
        with self.autocast:
            output = run(self.generator, padded, self.mode)
        return output[..., :height, :width].float()

    @cached_property
    def _geometry(self) -> Geometry:
        with in_mode(self.generator, self.mode):
            return geometry_of(self.generator, self.generator.in_channels, self.generator.stride)

    def finish(self, outputs: Tensor, index: int, picture: Picture, prepared: Tensor) -> Array:
        """Return a translation as files have it."""
        return self._to_array(outputs[index], prepared)

    def _to_array(self, output: Tensor, prepared: Tensor) -> Array:
        array = self.formats.target.to_array(output)
        unknown = prepared.isnan().any(0)
        if array.dtype.kind == "f" and unknown.any():
            array[unknown.cpu().numpy()] = np.nan
        return array
