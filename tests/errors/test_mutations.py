"""Real files with a few bytes changed are read, or refused in one line; never is there another error.

``MUTATIONS=10000 pytest tests/errors/test_mutations.py`` tries so many of each kind, for some minutes.
"""

import io
import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pytest
import tifffile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from PIL import Image
from pyarrow import parquet

import multitask.predictor
import pix2pix.trained
from inference import open_picture
from inference.pictures import as_rgb, shown_range
from losses.pretrained import read_state_dict
from multitask.data import MTAN, Folders
from pix2pix.data import PairedImages, Parquet
from tests.hostile.checkpoints import tasks_checkpoint, translator_checkpoint
from tests.multitask.scenes import write_scenes
from tests.pix2pix.pictures import write_side_by_side
from tests.training.programs import pix2pix_config, write_config
from training import Metrics
from training.failures import WrongUsage
from training.run_data import data_of_config
from training.wording import plain

COUNT = int(os.environ.get("MUTATIONS", 12))
SETTINGS = settings(
    max_examples=COUNT,
    deadline=None,
    derandomize="MUTATIONS" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
NOISE = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
Road = Callable[[Path], Any]


def look_at(file: Path) -> None:
    """All that is done with a picture before a network sees it."""
    picture = open_picture(file)
    as_rgb(shown_range(picture.read()))
    if picture.indices is not None:
        picture.labels().read()


def image(ending: str, array: Any = NOISE, **options: Any) -> Callable[[Path], tuple[Path, Road]]:
    def write(folder: Path) -> tuple[Path, Road]:
        file = folder / f"a{ending}"
        (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(file, **options)
        return file, look_at

    return write


def tiff(array: Any, **options: Any) -> Callable[[Path], tuple[Path, Road]]:
    def write(folder: Path) -> tuple[Path, Road]:
        tifffile.imwrite(folder / "a.tif", array, **options)
        return folder / "a.tif", look_at

    return write


def array(folder: Path) -> tuple[Path, Road]:
    np.save(folder / "a.npy", NOISE)
    return folder / "a.npy", look_at


def archive(folder: Path) -> tuple[Path, Road]:
    np.savez_compressed(folder / "a.npz", NOISE)
    return folder / "a.npz", look_at


def mtan(folder: Path) -> tuple[Path, Road]:
    file = folder / "train" / "image" / "0.npy"
    file.parent.mkdir(parents=True)
    np.save(file, NOISE / 255)
    return file, lambda file: MTAN(folder, "train").read(0)


def scene(name: str, folder: Path) -> tuple[Path, Road]:
    write_scenes(folder, {"train": 1})
    (folder / "train" / "classes.csv").write_text("name,class\ntrain00.png,1\n")
    (folder / "train" / "depth.json").write_text('{"depth_unit": 0.001}\n')
    return folder / "train" / name, lambda file: Folders(folder, "train").read(0)


def table(folder: Path) -> tuple[Path, Road]:
    encoded = io.BytesIO()
    Image.fromarray(NOISE).save(encoded, "png")
    column = [encoded.getvalue()] * 3
    parquet.write_table(arrow.table({"a": column, "b": column}), folder / "train.parquet")
    return folder / "train.parquet", lambda file: [each.read() for each in Parquet(folder, "train").read(2)]


def configuration(folder: Path) -> tuple[Path, Road]:
    os.chdir(folder)
    write_side_by_side(folder / "data", 1, 1, 1)
    write_config(pix2pix_config(Path("data")))
    return Path("small.yaml"), lambda file: data_of_config(file, PairedImages)


def of_pix2pix(folder: Path) -> tuple[Path, Road]:
    return translator_checkpoint(folder / "a.ckpt"), pix2pix.trained.load


def of_tasks(folder: Path) -> tuple[Path, Road]:
    return tasks_checkpoint(folder / "a.ckpt"), multitask.predictor.load


def weights(folder: Path) -> tuple[Path, Road]:
    torch.save({"a.weight": torch.rand(3, 4), "a.bias": torch.rand(3)}, folder / "a.pth")
    return folder / "a.pth", read_state_dict


def legacy_weights(folder: Path) -> tuple[Path, Road]:
    state = {"a.weight": torch.rand(3, 4), "a.bias": torch.rand(3)}
    torch.save(state, folder / "a.pth", _use_new_zipfile_serialization=False)
    return folder / "a.pth", read_state_dict


def metrics(folder: Path) -> tuple[Path, Road]:
    (folder / "metrics.csv").write_text("epoch,step,val/l1\n0,4,0.5\n1,9,\n")
    return folder / "metrics.csv", Metrics


FILES: dict[str, Callable[[Path], tuple[Path, Road]]] = {
    "PNG": image(".png"),
    "PNG with a palette": image(".png", Image.fromarray(NOISE).quantize(8)),
    "PNG of 16 bits": image(".png", NOISE[..., 0].astype(np.uint16)),
    "JPEG": image(".jpg", exif=Image.Exif()),
    "WebP": image(".webp"),
    "BMP": image(".bmp"),
    "TIFF": tiff(NOISE, photometric="rgb"),
    "TIFF in tiles": tiff(NOISE, photometric="rgb", tile=(16, 16), compression="zlib"),
    "TIFF of floating point": tiff(NOISE[..., 0] / np.float32(255), compression="zlib"),
    "NPY": array,
    "NPZ": archive,
    "array of MTAN's": mtan,
    "labels": partial(scene, "labels/train00.png"),
    "depth": partial(scene, "depth/train00.png"),
    "boxes": partial(scene, "boxes.json"),
    "classes": partial(scene, "classes.csv"),
    "unit of depth": partial(scene, "depth.json"),
    "parquet": table,
    "configuration": configuration,
    "checkpoint of pix2pix": of_pix2pix,
    "checkpoint of several tasks": of_tasks,
    "weights": weights,
    "weights of old": legacy_weights,
    "metrics": metrics,
}

Mutation = tuple[str, float, bytes]
MUTATIONS = some.lists(
    some.tuples(
        some.sampled_from(["change", "cut", "insert", "remove"]), some.floats(0, 1), some.binary(min_size=1, max_size=8)
    ),
    min_size=1,
    max_size=4,
)


def mutated(content: bytes, mutations: list[Mutation]) -> bytes:
    """Change bytes in place, cut the end, insert some or remove some, at shares of the length."""
    for how, share, own in mutations:
        place = int(share * len(content))
        before, after = content[:place], content[place:]
        content = {
            "change": before + own + after[len(own) :],
            "cut": before,
            "insert": before + own + after,
            "remove": before + after[len(own) :],
        }[how]
    return content


@pytest.mark.parametrize("kind", FILES)
def test_whatever_happens_to_a_file_it_is_read_or_refused_in_one_line(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PICTURE_MEGAPIXELS", "1")  # what claims to be large is not decoded
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500_000)
    file, road = FILES[kind](tmp_path)
    content = file.read_bytes()
    road(file)  # as it is, it is read

    @SETTINGS
    @given(MUTATIONS)
    def try_it(mutations: list[Mutation]) -> None:
        file.write_bytes(mutated(content, mutations))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries, about what is odd in a file
            try:
                road(file)
            except (ValueError, OSError) as error:
                assert plain(error) and len(plain(error)) < 1000
            except WrongUsage as error:
                assert plain(error.message)

    try_it()
