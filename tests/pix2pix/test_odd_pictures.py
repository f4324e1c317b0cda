"""Pictures as users have them: each becomes a picture of its own size, or a line that docs/pictures.md shows."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from inference import open_picture, write_picture
from inference.pictures import Array
from pix2pix.__main__ import main

ROOT = Path(__file__).parents[2]
ROWS, COLUMNS = np.mgrid[:768, :1024]
PHOTO = np.stack([COLUMNS // 4, ROWS // 3, (ROWS + COLUMNS) % 256], 2).astype(np.uint8)
SMALL, DEEP = PHOTO[:40, :60], PHOTO[:40, :60].astype(np.uint16) * 257
PAGES = np.zeros((5, 40, 60), np.uint16)


def pillow(array: Array = SMALL, mode: str = "RGB", **options: Any) -> Callable[[Path], None]:
    return lambda file: Image.fromarray(array).convert(mode).save(file, **options)


def exif(orientation: int) -> Callable[[Path], None]:
    data = Image.Exif()
    data[0x0112] = orientation
    return pillow(exif=data)


def animated() -> Callable[[Path], None]:
    return pillow(save_all=True, append_images=[Image.fromarray(SMALL + np.uint8(frame)) for frame in (60, 120)])


def tiff(array: Array, **options: Any) -> Callable[[Path], None]:
    return lambda file: tifffile.imwrite(file, array, **options)


def bomb(file: Path) -> None:
    Image.new("L", (1, 1)).save(file)
    encoded = bytearray(file.read_bytes())
    encoded[16:24] = struct.pack(">II", 40_000, 40_000)
    encoded[29:33] = struct.pack(">I", zlib.crc32(encoded[12:29]))
    file.write_bytes(encoded)


def half(file: Path) -> None:
    Image.fromarray(PHOTO).save(file)
    file.write_bytes(file.read_bytes()[:9000])


Size = tuple[int, int]
ODD: dict[str, tuple[Callable[[Path], None], Size | str]] = {
    "1x1.png": (pillow(PHOTO[:1, :1]), (1, 1)),
    "17x301.png": (pillow(PHOTO[:17, :301]), (17, 301)),
    "301x1.png": (pillow(PHOTO[:301, :1]), (301, 1)),
    "1024x768.jpg": (pillow(PHOTO), (768, 1024)),
    "a.bmp": (pillow(), (40, 60)),
    "lossless.webp": (pillow(lossless=True), (40, 60)),
    "gray.png": (pillow(mode="L"), (40, 60)),
    "gray with alpha.png": (pillow(mode="LA"), (40, 60)),
    "rgba.png": (pillow(mode="RGBA"), (40, 60)),
    "palette.png": (pillow(mode="P"), (40, 60)),
    "transparent palette.png": (pillow(mode="P", transparency=3), (40, 60)),
    "bilevel.png": (pillow(mode="1"), (40, 60)),
    "cmyk.jpg": (pillow(mode="CMYK"), "colors in CMYK; convert it to RGB first"),
    "cmyk.tif": (pillow(mode="CMYK"), "colors in SEPARATED; convert it to RGB first"),
    **{f"exif{n}.jpg": (exif(n), (40, 60) if n < 5 else (60, 40)) for n in range(1, 9)},
    "animated webp.webp": (animated(), "3 frames; save each as a file of its own"),
    "animated png.png": (animated(), "3 frames; save each as a file of its own"),
    "bomb.png": (bomb, "Image size (1600000000 pixels) exceeds limit of 178956970 pixels, could be decompression bomb "
                       "DOS attack.; save it as TIFF if that is what it is"),
    "한글 이름.png": (pillow(), (40, 60)),
    "# and space.png": (pillow(), (40, 60)),
    "interlaced.png": (pillow(interlace=1), (40, 60)),
    "progressive.jpg": (pillow(progressive=True), (40, 60)),
    "lzw.tif": (pillow(compression="tiff_lzw"), (40, 60)),
    "deep.png": (lambda file: write_picture(file, DEEP), (40, 60)),
    "deep rgb.tif": (tiff(DEEP, photometric="rgb"), (40, 60)),
    "deep gray.tif": (tiff(DEEP[..., 0]), (40, 60)),
    "deep tiles.tif": (tiff(DEEP, photometric="rgb", tile=(16, 16), compression="zlib"), (40, 60)),
    "float.tif": (tiff((SMALL / 255).astype(np.float32), photometric="rgb"), (40, 60)),
    "large float.tif": (tiff(SMALL.astype(np.float32), photometric="rgb"), "float32 beyond [0, 1], and no window that "
                        "says what they mean"),
    "five.tif": (tiff(PAGES.transpose(1, 2, 0).copy(), photometric="minisblack", planarconfig="contig"),
                 "5 channels, where 3 are wanted; only 1, 3 and 4 are converted to one another"),
    "pages.tif": (tiff(PAGES, photometric="minisblack"),
                  "5 pages of 40 x 60; set axes to cyx if the first are channels, or to yxc if the last are"),
    "array.npy": (lambda file: np.save(file, SMALL), (40, 60)),
    "channels first.npy": (lambda file: np.save(file, SMALL.transpose(2, 0, 1).copy()),
                           "an array of 3 x 40 x 60; set axes to cyx if the first are channels, or to yxc if the last "
                           "are"),
    "text.png": (lambda file: file.write_text("no picture"), "not a picture in a format that can be read; remove or "
                 "replace it"),
    "empty.png": (lambda file: file.touch(), "not a picture in a format that can be read; remove or replace it"),
    "half.jpg": (half, "damaged, remove or replace it (image file is truncated"),
}  # fmt: skip


def test_odd_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name, (write, _) in ODD.items():
        write(source / name)
    checkpoint = ROOT / "tests" / "pix2pix" / "before_0_2.ckpt"
    with pytest.raises(SystemExit) as stopped:
        main(["translate", str(checkpoint), str(source), str(out)])
    said = capsys.readouterr().out
    page = (ROOT / "docs" / "pictures.md").read_text()
    failures = 0
    for name, (_, expected) in ODD.items():
        results = [file for file in out.iterdir() if file.stem == Path(name).stem]
        if isinstance(expected, str):
            failures += 1
            assert results == []
            assert f"failed: {source / name}: {expected}" in said
            assert expected.replace("SEPARATED", "CMYK") in page
        else:
            (result,) = results
            assert open_picture(result).size == expected, name
    assert len(ODD) >= 40
    assert str(stopped.value).startswith(
        f"pix2pix: error: {failures} of {len(ODD)} pictures could not be translated, named above"
    )


def test_a_photograph_is_translated_upright(tmp_path: Path) -> None:
    """The translation of a picture that was taken on its side is that of the picture turned."""
    exif(6)(tmp_path / "turned.jpg")
    write_picture(tmp_path / "upright.png", open_picture(tmp_path / "turned.jpg").read())
    checkpoint = ROOT / "tests" / "pix2pix" / "before_0_2.ckpt"
    main(["translate", str(checkpoint), *(str(tmp_path / name) for name in ("turned.jpg", "upright.png", "out"))])
    turned, upright = (open_picture(tmp_path / "out" / f"{name}.png").read() for name in ("turned", "upright"))
    assert np.array_equal(turned, upright)
