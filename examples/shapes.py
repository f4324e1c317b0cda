"""Pairs to try things out with: outlines of shapes, and the same shapes filled with the color of their kind.

    python examples/shapes.py datasets/drawn

writes 240 pairs of 64 x 64 pixels as two folders of equal names, ``outlines`` and ``filled``, each with ``train``,
``val`` and ``test``. Circles are red, squares blue, triangles green: a network can learn all of it. The tutorial in
docs/tutorial.md uses them where you have pictures of your own.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = 64
COLORS = {"circle": "#d62728", "square": "#1f77b4", "triangle": "#2ca02c"}


def draw_pairs(seed: str, count: int) -> Iterator[tuple[Image.Image, Image.Image]]:
    """Draw pairs of outlines and filled shapes, the same ones for the same seed."""
    generator = random.Random(seed)
    for _ in range(count):
        outlines, filled = (Image.new("RGB", (SIZE, SIZE), "white") for _ in range(2))
        for middle in (SIZE // 4, 3 * SIZE // 4):  # one shape in the left half, one in the right
            kind, radius = generator.choice(list(COLORS)), generator.randint(8, 13)
            center = middle + generator.randint(-2, 2), generator.randint(radius + 2, SIZE - radius - 2)
            draw_shape(outlines, kind, center, radius, "white")
            draw_shape(filled, kind, center, radius, COLORS[kind])
        yield outlines, filled


def draw_shape(picture: Image.Image, kind: str, center: tuple[int, int], radius: int, color: str) -> None:
    """Draw one shape with a black outline."""
    (x, y), brush = center, ImageDraw.Draw(picture)
    left, top, right, bottom = x - radius, y - radius, x + radius, y + radius
    if kind == "circle":
        brush.ellipse((left, top, right, bottom), color, "black", 2)
    elif kind == "square":
        brush.rectangle((left, top, right, bottom), color, "black", 2)
    else:
        brush.polygon([(x, top), (left, bottom), (right, bottom)], color, "black", 2)


def main(root: str = "datasets/drawn", *, train: int = 200, val: int = 20, test: int = 20) -> None:
    """Write ``outlines/SPLIT/NNN.png`` and ``filled/SPLIT/NNN.png``.

    Args:
        root: the folder to write to.
        train: pairs to train on.
        val: pairs that choose the best checkpoint.
        test: pairs to test with.
    """
    for split, count in ("train", train), ("val", val), ("test", test):
        for index, pair in enumerate(draw_pairs(split, count)):
            for side, picture in zip(("outlines", "filled"), pair, strict=True):
                file = Path(root, side, split, f"{index:03}.png")
                file.parent.mkdir(parents=True, exist_ok=True)
                picture.save(file)
    print(f"{train + val + test} pairs written to {root}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
