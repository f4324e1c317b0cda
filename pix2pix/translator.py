"""Translate pictures of any size and kind with a trained model."""

import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode

from inference import DataError, Picture, write_picture
from inference.export import Backend, Graph
from inference.files import Job
from inference.geometry import Geometry, geometry_of, least_side
from inference.modes import InferenceMode, InMode, Preset, as_mode, in_mode, run
from inference.pictures import Array, Axes, slices
from inference.pictures.files import check_format, ending_for, whole_or_not_at_all
from inference.pictures.tiff import write_tiff_pages, write_tiff_parts
from inference.pipeline import Progress, batches
from inference.predictor import Precision, Predictor
from inference.sizes import Box, height_width, pad
from pix2pix.data.formats import UNKNOWN, PairFormats
from pix2pix.data.inputs import STACKS, input_folders, open_input
from pix2pix.data.stacks import with_neighbors
from pix2pix.data.transforms import Size, resize
from pix2pix.graph import graph_of
from pix2pix.trained import Loaded, Trained, load, require_recalibrated

KEEPS_ALL = (".tif", ".tiff", ".npy")  # endings that results of pictures that have them have too


class Spread(NamedTuple):
    """What dropout leaves open of a translation.

    Attributes:
        mean: of the samples, as files have it.
        std: their standard deviation in the units of the files, float32.
    """

    mean: Array
    std: Array


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
        tile: the longest side that is translated whole; by default what fits into the free memory.
        size: height and width, or one number for squares, that pictures are resized to before; null translates them at
            their own size.
        axes: how the arrays of files lie, ``yxc`` or ``cyx``; null is as in training.
        inference: the inference mode, a preset or an ``InferenceMode``; null is the model's own.
        backend: what runs the generator: ``torch``, or on a CPU ``onnxruntime``, ``openvino`` (the extras ``export``
            and ``openvino``), which takes some seconds of conversion first; or ``auto``, the fastest of those that are
            installed, as soon as there are so many files that the conversion pays.
        samples: translate each picture this often, each time with other noise of dropout, and give the mean and the
            standard deviation: NAME_mean and NAME_std, in float32. Dropout must be on, as in the mode ``paper``.

    Raises:
        ValueError: the checkpoint cannot be read, an option is outside its range, or the device is not there.
    """

    def __init__(
        self,
        model: str | Path | Trained,
        *,
        device: str = "auto",
        precision: Precision = "32",
        batch_size: int = 8,
        tile: int | None = None,
        size: Size | None = None,
        axes: Axes | None = None,
        inference: Preset | InferenceMode | None = None,
        backend: Backend = "auto",
        samples: int = 1,
    ) -> None:
        trained: Trained = load(Path(model)) if isinstance(model, str | Path) else model
        self._trained = trained
        super().__init__(
            trained.generator,
            device=device,
            precision=precision,
            batch_size=batch_size,
            tile=tile,
            axes=axes or trained.formats.axes,
            backend=backend,
        )
        self.generator = trained.generator
        self.mode = trained.inference if inference is None else as_mode(inference)
        if isinstance(trained, Loaded):
            require_recalibrated(self.mode, trained.recalibrated)
        if samples < 1:
            raise ValueError(f"samples must be at least 1; got {samples}")
        if samples > 1 and not (self.mode.dropout and any(isinstance(m, nn.Dropout) for m in self.generator.modules())):
            raise ValueError(f"samples {samples}: all would be alike, as there is no dropout; set inference to paper")
        self.samples = samples
        self.size = height_width("size", size)
        self._counting = threading.Lock()  # pictures are prepared in threads
        self._clipped = self._values = 0
        self.convert()

    @property
    def formats(self) -> PairFormats:
        """What goes in and comes out."""
        return self._trained.formats

    def __call__(self, pictures: Any) -> Any:
        """Translate one picture, or a list of them.

        Args:
            pictures: the path of a file, a NumPy array (height x width x channels), a tensor (channels x height x
                width), a picture of Pillow's, or a :class:`inference.Picture`; or a list of these. Their numbers are
                those of files: 0 to 255 in uint8, and so on.

        Returns:
            The translation in the form of the target's files: for a tensor a tensor, for a picture of Pillow's one of
            these where Pillow has its kind, otherwise an array; for a list a list. With ``samples`` a :class:`Spread`.

        Raises:
            DataError: a picture cannot be read, or has channels that do not fit.
        """
        if isinstance(pictures, list | tuple):
            arrays = self.results(self.picture_of(each) for each in pictures)
            return [like(array, each) for array, each in zip(arrays, pictures, strict=True)]
        return like(next(self.results([self.picture_of(pictures)])), pictures)

    def describe(self) -> list[str]:
        """Return in lines what the checkpoint says: the pictures that go in and come out, and the mode."""
        sides = ("input", self.formats.input), ("output", self.formats.target)
        return [
            *(f"{side}: {format.describe()}" for side, format in sides),
            f"batch norm: {self.mode.norm}   dropout: {'on' if self.mode.dropout else 'off'}   device: {self.device}   "
            f"backend: {self.backend}",
        ]

    # --- files

    def open(self, file: Path) -> Picture:
        """Open an input, with the pictures that are stacked to it."""
        return open_input(file, self.formats, self.axes)

    def sources(self, inputs: Sequence[Path]) -> list[Path]:
        """Return where to look for pictures."""
        return input_folders(inputs, self.formats)

    def targets(self, job: Job, picture: Picture) -> list[Path]:
        """Return the file of the translation: TIFF and NPY stay what they are, other pictures become PNG, or TIFF."""
        dtype, channels = np.dtype(self.formats.target.dtype), self.formats.target.channels
        ending = job.source.suffix.lower()
        if self.formats.neighbors is not None:
            ending = ".tif"  # of as many pages
        elif ending not in KEEPS_ALL:
            ending = ending_for(dtype, channels)
        if self.samples > 1:
            return [job.stem.with_name(f"{job.stem.name}{name}") for name in (f"_mean{ending}", "_std.tif")]
        if job.target is None:
            return [job.stem.with_name(job.stem.name + ending)]
        if self.formats.neighbors is None:
            check_format(job.target, dtype, channels)
        elif job.target.suffix.lower() not in STACKS:
            raise DataError(f"{job.target}: slices are written as the pages of a TIFF; give it the ending .tif")
        return [job.target]

    def write(self, job: Job, picture: Picture, result: Array | Spread) -> None:
        """Write a translation; of a stack as many pages."""
        if isinstance(result, Spread):
            for file, array in zip(self.targets(job, picture), result, strict=True):
                write_picture(file, array)
            return
        (file,) = self.targets(job, picture)
        if self.formats.neighbors is None:
            write_picture(file, result)
        else:
            with whole_or_not_at_all(file) as unfinished:
                write_tiff_pages(unfinished, result)

    def notes(self) -> list[str]:
        """Return how much was clipped, and where tiles had to be blended."""
        notes = super().notes()
        if self._clipped:
            low, high = self.formats.input.range
            share = self._clipped / self._values
            notes = [*notes, f"{share:.2%} of the input values lie outside of {low:g} to {high:g}, and were clipped"]
        self._clipped = self._values = 0
        return notes

    # --- one picture

    def prepare(self, picture: Picture) -> Tensor:
        """Read a picture for the generator: C x H x W in [-1, 1]; NaN where it is unknown."""
        format = self.formats.input
        array = format.source(picture).read()
        clipped = format.clipped(array) if format.window is not None else 0
        with self._counting:
            self._values += array.size
            self._clipped += clipped
        values = format.to_values(array, picture.name)
        if self.size is not None:
            exact = format.labels is not None
            values = resize(values, self.size, InterpolationMode.NEAREST_EXACT if exact else InterpolationMode.BICUBIC)
        return format.to_network(values)

    @torch.no_grad()
    def run(self, pictures: Tensor) -> Tensor:
        """Translate N x C x H x W in [-1, 1], of any size; in float32, on the generator's device.

        With ``samples`` the mean and then the standard deviation, along channels.
        """
        height, width = pictures.shape[-2:]
        padded = pad(pictures.nan_to_num(UNKNOWN), self.generator.stride, self.least)
        with self.lock, self.autocast:
            if self.runtime is not None:
                outputs = [self.runtime(padded)]
            else:
                outputs = [run(self.generator, padded, self.mode, seed).float() for seed in range(self.samples)]
        output = outputs[0] if self.samples == 1 else torch.cat(torch.std_mean(torch.stack(outputs), 0)[::-1], 1)
        return output[..., :height, :width]

    def finish(self, outputs: Tensor, index: int, picture: Picture, prepared: Tensor) -> Array | Spread:
        """Return a translation as files have it; NaN where the input was, if it can be."""
        if self.samples == 1:
            return self._to_array(outputs[index], prepared)
        mean, std = outputs[index].chunk(2)
        low, high = self.formats.target.range
        units = (std / 2 * (high - low)).movedim(0, -1).cpu().numpy()
        return Spread(self._to_array(mean, prepared), units)

    def _to_array(self, output: Tensor, prepared: Tensor) -> Array:
        array = self.formats.target.to_array(output)
        unknown = prepared.isnan().any(0)
        if array.dtype.kind == "f" and unknown.any():
            array[unknown.cpu().numpy()] = np.nan
        return array

    @cached_property
    def least(self) -> int:
        """The shortest side that the generator takes."""
        with self.lock, in_mode(self.generator, self.mode):
            return least_side(self.generator, self.generator.in_channels, self.generator.stride)

    # --- a large picture

    @cached_property
    def geometry(self) -> Geometry:
        """The geometry of the generator in its mode."""
        with self.lock, in_mode(self.generator, self.mode):
            return geometry_of(self.generator, self.generator.in_channels, self.generator.stride)

    def graph(self) -> Graph:
        """Return the graph of the generator in its mode."""
        return graph_of(self.generator, self.mode)

    def is_large(self, picture: Picture) -> bool:
        """Return whether a picture is larger than a tile, or a stack of slices."""
        large = self.formats.neighbors is not None or (self.size is None and self.needs_tiles(picture))
        if large and self.samples > 1:
            raise DataError(
                f"{picture.name}: samples are taken of whole pictures alone; set tile to {max(picture.size)}"
            )
        return large

    def seam_in_words(self, seam: float) -> str:
        """Return how large a step of the generator's output is in the values of files."""
        low, high = self.formats.target.range
        return f"{seam / 2 * (high - low):.3g} in the values of the result"

    def _parts(self, picture: Picture, progress: Progress) -> Iterator[tuple[Box, Array]]:
        """Yield the parts of a translation, row by row, as files have them."""
        network: nn.Module = InMode(self.generator, self.mode)
        if (
            self.runtime is not None and self.geometry.norms == 0
        ):  # statistics of the picture are found in torch's layers
            network = self.runtime
        with in_mode(self.generator, self.mode):
            for part in self.in_tiles(network, picture, progress):
                own = self.prepare(picture.part(part.box)) if self.formats.input.nan == "mask" else torch.zeros(1, 1, 1)
                yield part.box, self._to_array(part.output.float(), own)

    def run_large(self, picture: Picture, progress: Progress) -> Array:
        """Translate a picture tile by tile; or a stack slice by slice: height x width x slices."""
        if self.formats.neighbors is None:
            return self._joined(picture, progress)
        layers = picture.layers()
        pages = [with_neighbors(layers, index, self.formats.neighbors) for index in range(len(layers))]
        tiled = self.size is None and self.needs_tiles(picture)
        results: list[Array] = []
        for group in batches(pages, 1 if tiled else self.batch_size, lambda each: each.size):
            if tiled:
                results.append(self._joined(group[0], lambda done, parts: None))
            else:
                results += self.run_batch(group, [self.prepare(each) for each in group])
            progress(len(results), len(pages))
        return np.concatenate(results, 2)

    def _joined(self, picture: Picture, progress: Progress) -> Array:
        target = self.formats.target
        whole = np.empty((*picture.size, target.channels), np.dtype(target.dtype))
        for box, array in self._parts(picture, progress):
            whole[slices(box)] = array
        return whole

    def write_large(self, job: Job, picture: Picture, progress: Progress) -> None:
        """Write the translation of a picture; a TIFF while it is made, so that it never is in memory whole."""
        (file,) = self.targets(job, picture)
        if self.formats.neighbors is not None or file.suffix.lower() not in STACKS:
            super().write_large(job, picture, progress)
            return
        target = self.formats.target
        shape = (*picture.size, target.channels)
        with whole_or_not_at_all(file) as unfinished:
            write_tiff_parts(unfinished, self._parts(picture, progress), shape, np.dtype(target.dtype))


def like(array: Array, given: Any) -> Any:
    """Return an array in the form of what was given: a tensor, or a picture of Pillow's where it has its kind."""
    if isinstance(given, Tensor):
        return torch.from_numpy(array).movedim(-1, 0)
    if isinstance(given, Image.Image) and array.dtype == np.uint8 and array.shape[2] in (1, 3, 4):
        return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
    return array
