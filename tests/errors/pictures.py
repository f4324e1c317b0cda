"""Odd pictures and folders of pairs."""

import io
import math
import shutil
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from tests.errors.row import CHECKPOINT, FIT, Row

FIRST = Path("data/train/train00.png")
NOISE = np.random.default_rng(0).integers(0, 256, (16, 32, 3), dtype=np.uint8)
TRAIN = f"pix2pix {FIT}"
TWO = f"pix2pix {FIT} --data.root two --data.batch_size 1 --data.layout pix2pix.data.TwoFolders"
TRANSLATE = f"pix2pix translate {CHECKPOINT}"


def put(content: bytes, name: str = FIRST.name) -> None:
    """Put a file in the place of the first picture."""
    FIRST.unlink(missing_ok=True)
    FIRST.with_name(name).write_bytes(content)


def encoded(format: str, image: Any = NOISE, **options: Any) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, format, **options)
    return file.getvalue()


def tiff(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(*arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, *arrays)
    return file.getvalue()


def claims_billions() -> bytes:
    body = bytearray(encoded("PNG"))
    body[16:24] = struct.pack(">II", 60_000, 60_000)
    body[29:33] = struct.pack(">I", zlib.crc32(body[12:29]))
    return bytes(body)


def frames(format: str) -> bytes:
    several = [Image.fromarray(np.roll(NOISE, shift, 0)) for shift in range(3)]
    return encoded(format, several[0], save_all=True, append_images=several[1:])


def floating(*numbers: float) -> bytes:
    """A TIFF in [0, 1] that begins with these numbers."""
    array = NOISE.astype(np.float32) / 255
    array.ravel()[: len(numbers)] = numbers
    return tiff(array, photometric="rgb")


def everywhere(content: bytes) -> None:
    """A picture in the place of all."""
    for file in Path("data").glob("*/*.png"):
        file.unlink()
        file.with_suffix(".tif").write_bytes(content)


def second(content: bytes, name: str = "train01.png") -> None:
    FIRST.with_name("train01.png").unlink()
    FIRST.with_name(name).write_bytes(content)


def odd(wrong: str, content: Callable[[], bytes], name: str = FIRST.name, options: str = "") -> Row:
    """A row of a training on a picture."""
    return Row(wrong, f"{TRAIN}{options}", f"data/train/{name}", lambda: put(content(), name))


PICTURES = [
    odd("a picture of 0 bytes", lambda: b""),
    odd("half of a PNG", lambda: encoded("PNG")[:700]),
    odd("half of a JPEG", lambda: encoded("JPEG")[:400], "train00.jpg"),
    odd("half of a WebP", lambda: encoded("WEBP")[:400], "train00.webp"),
    odd("half of a BMP", lambda: encoded("BMP")[:400], "train00.bmp"),
    odd("the first 100 bytes of a TIFF", lambda: tiff(NOISE)[:100], "train00.tif"),
    odd("a text that is called .png", lambda: b"not a picture"),
    odd("a web page that is called .jpg", lambda: b"<!DOCTYPE html><title>404</title>", "train00.jpg"),
    odd("a GIF that is called .png", lambda: encoded("GIF", Image.new("P", (32, 16)))),
    odd("a PNG with a wrong checksum", lambda: encoded("PNG").replace(b"IHDR\0\0\0", b"IHDR\0\0\1")),
    odd("a PNG that claims billions of pixels", claims_billions),
    odd("one pixel, which is no pair side by side", lambda: encoded("PNG", NOISE[:1, :1])),
    odd("a pair of an odd width", lambda: encoded("PNG", NOISE[:, :31])),
    odd("a CMYK JPEG", lambda: encoded("JPEG", Image.new("CMYK", (32, 16))), "train00.jpg"),
    odd("a TIFF in LAB colors", lambda: encoded("TIFF", Image.new("LAB", (32, 16))), "train00.tif"),
    odd("an animated PNG", lambda: frames("PNG")),
    odd("an animated WebP", lambda: frames("WEBP"), "train00.webp"),
    odd("16 bits among pictures of 8", lambda: tiff(NOISE.astype(np.uint16)), "train02.tif"),
    Row("floating point among pictures of 8 bits", TRAIN, "data/val/val00.png", lambda: put(floating(), "train00.tif")),
    Row("floating point with NaN", TRAIN, "data/val/val00.tif", lambda: everywhere(floating(math.nan))),
    Row("nothing but NaN", TRAIN, "input_window", lambda: everywhere(floating(*[math.nan] * NOISE.size))),
    odd("a TIFF of 5 pages", lambda: tiff(np.zeros((5, 16, 32), np.uint8), photometric="minisblack"), "train00.tif"),
    odd("a TIFF of 5 channels", lambda: tiff(np.zeros((16, 32, 5), np.uint8), planarconfig="contig"), "train00.tif"),
    odd("a TIFF of two sizes", lambda: two_sizes(), "train00.tif"),
    odd("a TIFF of 64-bit numbers", lambda: tiff(np.zeros((16, 32), np.float64)), "train00.tif"),
    odd("an array of 3 x height x width", lambda: npy(np.zeros((3, 16, 32), np.uint8)), "train00.npy"),
    odd("an array of one dimension", lambda: npy(np.zeros(7, np.uint8)), "train00.npy"),
    odd("an array without numbers", lambda: npy(np.zeros((0, 32, 3), np.uint8)), "train00.npy"),
    odd("an array of Python objects", lambda: npy(np.array([{}], dtype=object)), "train00.npy"),
    odd("an array of texts", lambda: npy(np.array([["a", "b"]])), "train00.npy"),
    odd("an array of complex numbers", lambda: npy(np.zeros((16, 32), np.complex64)), "train00.npy"),
    odd("the header of an array alone", lambda: npy(NOISE)[:128], "train00.npy"),
    odd("an archive of two arrays", lambda: npz(NOISE, NOISE), "train00.npz"),
    odd("an archive of none", lambda: npz(), "train00.npz"),
    Row("colors where class numbers are wanted", f"{TRAIN} --data.color_jitter 0 --data.input_labels 3", "val00.png"),
    Row("3 channels where 2 are wanted", f"{TRAIN} --data.color_jitter 0 --data.input_channels 2", "val00.png"),
    Row(
        "a class number beyond the classes",
        f"{TRAIN} --data.color_jitter 0 --data.input_labels 3",
        "val00.tif",
        lambda: everywhere(tiff(NOISE[..., 0])),
    ),
    Row("two pictures of one name", TRAIN, "train00.png", lambda: FIRST.with_name("train00.jpg").touch()),
    Row(
        "pictures of two sizes in a batch",
        f"{TRAIN} --data.load_size null --data.crop_size null",
        "train0",
        partial(second, encoded("PNG", np.zeros((24, 48, 3), np.uint8))),
    ),
    Row(
        "a picture smaller than the crop",
        f"{TRAIN} --data.load_size null",
        "train0",
        partial(second, encoded("PNG", np.zeros((8, 16, 3), np.uint8))),
    ),
]


def two_sizes() -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(NOISE, photometric="rgb")
        writer.write(NOISE[:8], photometric="rgb")
    return file.getvalue()


def two_folders(**more: bytes | None) -> None:
    """A/SPLIT/1.png and B/SPLIT/1.png; and files of A and B by their names, or without what is None."""
    for folder in "AB":
        for split in ("train", "val", "test"):
            Path("two", folder, split).mkdir(parents=True)
            Path("two", folder, split, "1.png").write_bytes(encoded("PNG"))
    for name, content in more.items():
        folder, _, file = name.partition("_")
        place = Path("two", folder, "train", file.replace("_", "."))
        if content is None:
            place.unlink()
        else:
            place.write_bytes(content)


FOLDERS = [
    Row("a folder of data that is not there", f"{TRAIN} --data.root absent", "absent/train"),
    Row("a file in place of the folder", f"{TRAIN} --data.root small.yaml", "small.yaml/train"),
    Row("pictures in no split", f"{TRAIN} --data.root data/val", "data/val"),
    Row("a split that is not there", f"{TRAIN} --data.val_split validation", "data/validation"),
    Row("a split without pictures", TRAIN, "data/val", lambda: Path("data/val/val00.png").unlink()),
    Row(
        "a split of GIFs",
        TRAIN,
        "data/val",
        lambda: (Path("data/val/val00.png").rename("data/val/val00.gif"), None)[1],
    ),
    Row("a picture of A alone", TWO, "two/A/train/2.png", partial(two_folders, A_2_png=encoded("PNG"))),
    Row("a picture of B alone", TWO, "two/B/train/2.png", partial(two_folders, B_2_png=encoded("PNG"))),
    Row(
        "its partner in another format",
        TWO,
        "two/A/train/2.png",
        partial(two_folders, A_2_png=encoded("PNG"), B_2_gif=b"GIF89a"),
    ),
    Row("no pictures of B", TWO, "two/B/train", partial(two_folders, B_1_png=None)),
    Row(
        "A and B of different sizes",
        TWO,
        "two/A/train/1.png",
        partial(two_folders, B_1_png=encoded("PNG", NOISE[:, :16])),
    ),
    Row("no folder B", TWO, "two/B/train", lambda: (two_folders(), shutil.rmtree("two/B"))[1]),
    Row(
        "stacks of different numbers of pages",
        f"{TRAIN} --data.root two --data.layout pix2pix.data.Stacks",
        "two/A/train/1.tif",
        partial(
            two_folders,
            A_1_png=None,
            B_1_png=None,
            A_1_tif=tiff(NOISE[None, ..., 0].repeat(3, 0), photometric="minisblack"),
            B_1_tif=tiff(NOISE[None, ..., 0].repeat(2, 0), photometric="minisblack"),
        ),
    ),
    Row("a folder to pair that is not there", "pix2pix pair data/train absent out", "absent"),
    Row("folders to pair without a common name", "pix2pix pair data/train data/val out", "out"),
]

FILES = [
    Row("a picture to translate that is not there", f"{TRANSLATE} absent.png out", "absent.png"),
    Row("a text to translate", f"{TRANSLATE} small.yaml out", "small.yaml"),
    Row("a folder without pictures", f"{TRANSLATE} empty out", "empty", lambda: Path("empty").mkdir()),
    Row("a result that exists", f"{TRANSLATE} {FIRST} data/test/test00.png", "data/test/test00.png"),
    Row("a result over its picture", f"{TRANSLATE} {FIRST} {FIRST} --overwrite", str(FIRST)),
    Row("two pictures of one name", f"{TRANSLATE} {FIRST} copy/train00.png out", "copy/train00.png", lambda: copied()),
    Row("an unreadable picture", f"{TRANSLATE} data/train out", str(FIRST), lambda: put(b"")),
    Row(
        "a picture of 5 channels",
        f"{TRANSLATE} data/train/train00.tif out",
        "train00.tif",
        lambda: put(tiff(np.zeros((16, 32, 5), np.uint8), planarconfig="contig"), "train00.tif"),
    ),
    Row("a format that holds no RGB", f"{TRANSLATE} {FIRST} out.npz", "out.npz"),
    Row("a file in place of the folder to write to", f"{TRANSLATE} data/train small.yaml", "small.yaml"),
    Row(
        "results of several tasks in one file",
        f"multitask predict {CHECKPOINT} data/test/image/test00.png out.png",
        "out.png",
    ),
    Row(
        "results of several tasks that exist", f"multitask predict {CHECKPOINT} data/test/image data/test", "data/test"
    ),
]


def copied() -> None:
    Path("copy").mkdir()
    shutil.copy(FIRST, "copy")
