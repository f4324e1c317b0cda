"""Pictures side by side on one sheet, with titles of the rows and a legend."""

import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F
from torchvision.utils import make_grid

from inference.pictures.display import to_picture

GAP = 2  # pixels between pictures
TEXT = (32, 32, 32)


def sheet(rows: Mapping[str, Sequence[Tensor]], legend: Mapping[str, Tensor] | None = None) -> Image.Image:
    """Return pictures in rows, as one picture: titles stand left of them, and the legend below.

    Args:
        rows: for each title as many pictures 3 x H x W in [0, 1]; those of another size than the first are resized to
            it, from the nearest pixels.
        legend: colors, red, green and blue in [0, 1], by what they mean.
    """
    pictures = [picture for row in rows.values() for picture in row]
    height, width = pictures[0].shape[1:]
    columns = len(next(iter(rows.values())))
    resized = [
        picture if picture.shape[1:] == (height, width) else _resize(picture, height, width) for picture in pictures
    ]
    grid = to_picture(make_grid(resized, nrow=columns, padding=GAP, pad_value=1.0))

    font = ImageFont.load_default(max(12, height // 12))
    line = math.ceil(sum(font.getmetrics()))  # type: ignore[union-attr]  # with FreeType, which Pillow's wheels have
    titles = [title.replace(" ", "\n") for title in rows]
    left = max(math.ceil(font.getlength(part)) for title in titles for part in title.split("\n")) + 2 * GAP
    entries = _flow({name: font.getlength(name) for name in legend or {}}, line, left + grid.width)
    below = line * len(entries) + 3 * GAP * bool(entries)
    whole = Image.new("RGB", (left + grid.width, grid.height + below), "white")
    whole.paste(grid, (left, 0))
    draw = ImageDraw.Draw(whole)
    for row, title in enumerate(titles):
        middle = GAP + row * (height + GAP) + height // 2
        draw.multiline_text((left - GAP, middle), title, TEXT, font, "rm", spacing=0, align="right")
    for number, entry in enumerate(entries):
        top = grid.height + 2 * GAP + number * line
        for name, x in entry:
            color = tuple(round(255 * part) for part in (legend or {})[name].tolist())
            draw.rectangle((x, top + 1, x + line - 3, top + line - 3), color)
            draw.text((x + line + GAP, top), name, TEXT, font)
    return whole


def _resize(picture: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(picture[None], (height, width))[0]


def _flow(lengths: Mapping[str, float], line: int, width: int) -> list[list[tuple[str, int]]]:
    """Break entries into lines of at most ``width``: for each its name, and where it begins."""
    lines: list[list[tuple[str, int]]] = []
    x = width
    for name, length in lengths.items():
        needed = line + 2 * GAP + math.ceil(length) + line
        if x + needed > width:
            lines.append([])
            x = GAP
        lines[-1].append((name, x))
        x += needed
    return lines
