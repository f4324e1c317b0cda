"""What a room has that is no furniture: flat surfaces, cuboids, textures and books.

All of it is drawn here, so that no one else's license is on it.
"""

import math
import random
from collections.abc import Iterator

import numpy as np
from furniture import Part


class Painter:
    """Draws colors, textures and books at random.

    Args:
        random: draws the choices.
        noise: draws what differs from pixel to pixel.
    """

    def __init__(self, random: random.Random, noise: np.random.Generator) -> None:
        self.random, self.noise = random, noise

    def pale(self) -> tuple[float, ...]:
        """Draw a color for a wall."""
        base = self.random.uniform(0.4, 0.8)
        return tuple(min(0.85, max(0.1, base + self.random.uniform(-0.17, 0.17))) for _ in range(3))

    def vivid(self) -> np.ndarray:
        """Draw any color, 0 to 255."""
        return np.array([self.random.randint(10, 240) for _ in range(3)])

    def floor_texture(self) -> np.ndarray:
        """Draw planks, tiles, checks or a carpet."""
        size, style = 192, self.random.choice(("planks", "planks", "tiles", "checks", "carpet"))
        y, x = np.mgrid[:size, :size]
        wood = np.array(
            self.random.choice(((170, 120, 75), (120, 78, 45), (205, 170, 125), (85, 60, 42), (150, 140, 130)))
        )
        plain = np.array([self.random.randint(70, 200) for _ in range(3)])
        grain = self.noise.normal(0, 1, (size, size))
        if style == "planks":
            row = y // 24
            board = row * 7 + (x + row * 67) % size // 96
            shade = self.noise.normal(0, 12, 400)[board] + 5 * np.repeat(grain[:, ::8], 8, 1)
            shade -= 30.0 * ((y % 24 == 0) | ((x + row * 67) % 96 == 0))
            picture = wood + shade[..., None]
        elif style == "tiles":
            joints = (x % 48 < 2) | (y % 48 < 2)
            picture = plain + self.noise.normal(0, 6, 16)[y // 48 * 4 + x // 48][..., None] - 35.0 * joints[..., None]
        elif style == "checks":
            picture = plain + 45.0 * (((x // 48 + y // 48) % 2) * 2 - 1)[..., None] + 2 * grain[..., None]
        else:
            picture = plain + 9 * grain[..., None]
        return np.clip(picture, 12, 235).astype(np.uint8)

    def stripes(self, color: tuple[float, ...]) -> np.ndarray:
        """Draw wallpaper with stripes of nearly one color."""
        paint = 255 * np.array(color) ** (1 / 2.2)
        stripe = (np.arange(128) // self.random.choice((8, 16, 32)) % 2)[None, :, None]
        return np.clip(paint * (1 - 0.15 * stripe) * np.ones((4, 1, 1)), 0, 255).astype(np.uint8)

    def picture(self) -> np.ndarray:
        """Draw a picture: stripes, discs, rectangles or hills, in colors of its own."""
        y, x = np.mgrid[:64, :64]
        picture = np.ones((64, 64, 3)) * self.vivid()
        style = self.random.choice(("stripes", "discs", "rectangles", "hills"))
        if style == "stripes":
            tilt, wide = self.random.uniform(-1, 1), self.random.choice((6, 10, 16))
            picture = np.array([self.vivid() for _ in range(4)])[((x + tilt * y) // wide).astype(int) % 4]
        for number in range(self.random.randint(4, 9)):
            a, b, size = self.random.randint(0, 63), self.random.randint(0, 63), self.random.randint(5, 22)
            if style == "discs":
                picture[(x - a) ** 2 + (y - b) ** 2 < size**2] = self.vivid()
            elif style == "rectangles":
                picture[b : b + size, a : a + 2 * size] = self.vivid()
            elif style == "hills" and number < 4:
                ridge = 20 + 11 * number + 5 * np.sin(x / self.random.uniform(4, 12) + a)
                picture[y > ridge] = self.vivid()
        return np.clip(picture, 8, 240).astype(np.uint8)

    def row(self, wide: float, high: float) -> list[Part]:
        """Stand books side by side from x = 0 to ``wide``, none higher than ``high``."""
        parts, x = [], 0.0
        while (thick := self.random.uniform(0.015, 0.05)) + x <= wide:
            size = (thick - 0.001, self.random.uniform(0.7, 1.0) * high, self.random.uniform(0.13, 0.19))
            parts += box((x + thick / 2, size[1] / 2, 0), size, self.cover())
            x += thick
        return parts or box((wide / 2, high / 2, 0), (0.03, high, 0.15), self.cover())

    def pile(self) -> list[Part]:
        """Pile books up from y = 0."""
        parts, y = [], 0.0
        for _ in range(self.random.randint(2, 6)):
            thick = self.random.uniform(0.02, 0.05)
            flat = box((0, 0, 0), (self.random.uniform(0.2, 0.3), thick, self.random.uniform(0.15, 0.21)), self.cover())
            parts += turned(flat, self.random.uniform(-0.3, 0.3), 0, y + thick / 2, 0)
            y += thick + 0.0005
        return parts

    def cover(self) -> tuple[float, ...]:
        """Draw the color of a book's cover."""
        return tuple(float(x) for x in (self.vivid() / 255) ** 2.2 * 0.8 + 0.02)


def quad(
    origin: tuple[float, float, float],
    u: tuple[float, float, float],
    v: tuple[float, float, float],
    color: tuple[float, ...] = (0.5, 0.5, 0.5),
    texture: np.ndarray | None = None,
    repeat: tuple[float, float] = (1.0, 1.0),
) -> Part:
    """Build a parallelogram; its texture is repeated so often along u and v."""
    o, along, up = np.array(origin, float), np.array(u, float), np.array(v, float)
    corners = np.array([o, o + along, o + along + up, o + up])
    uv = np.array([(0, 0), (repeat[0], 0), repeat, (0, repeat[1])])
    order = np.array([(0, 1, 2), (0, 2, 3)])
    return Part(corners[order], uv[order], (color[0], color[1], color[2]), texture)


def box(middle: tuple[float, float, float], size: tuple[float, float, float], color: tuple[float, ...]) -> list[Part]:
    """Build a cuboid."""
    return [Part(np.concatenate(list(_sides(middle, size))), np.zeros((12, 3, 2)), (color[0], color[1], color[2]))]


def _sides(middle: tuple[float, float, float], size: tuple[float, float, float]) -> Iterator[np.ndarray]:
    for axis in range(3):
        for sign in (-1, 1):
            u, v = np.zeros(3), np.zeros(3)
            u[(axis + 1) % 3], v[(axis + 2) % 3] = size[(axis + 1) % 3], size[(axis + 2) % 3]
            face = np.array(middle, float) - u / 2 - v / 2
            face[axis] += sign * size[axis] / 2
            yield quad(tuple(face), tuple(u), tuple(v)).points


def shifted(part: Part, x: float, y: float = 0.0, z: float = 0.0) -> Part:
    """Move a part."""
    return Part(part.points + np.array((x, y, z)), part.uv, part.color, part.texture)


def turned(parts: tuple[Part, ...] | list[Part], angle: float, x: float, y: float, z: float) -> list[Part]:
    """Turn parts about the vertical axis, then move them."""
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return [Part(part.points @ turn.T + (x, y, z), part.uv, part.color, part.texture) for part in parts]
