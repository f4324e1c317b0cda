"""Rooms drawn at random: furniture that stands where it belongs, walls, windows, paintings, books, and a camera."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from furniture import Model, Part, load, top
from surfaces import Painter, box, quad, shifted, turned

PLANS = {  # what is tried for each sort of room, in this order; the first ones find more space
    "bedroom": ("bed", "furniture", "furniture", "furniture", "chair", "table", "tv"),
    "living room": ("sofa", "furniture", "tv", "table", "sofa", "chair", "furniture", "shelf"),
    "dining room": ("table", "furniture", "furniture", "shelf", "sofa", "chair", "tv"),
    "study": ("desk", "shelf", "furniture", "chair", "sofa", "furniture", "bed"),
}
FACING = (0.0, -math.pi / 2, math.pi, math.pi / 2)  # angle of furniture whose back is at wall 0, 1, 2, 3
SKIES = ((0.75, 0.87, 1.0), (0.9, 0.95, 1.0), (1.0, 0.93, 0.8))  # of noon, of a cloudy day, of the evening
PROCEDURAL = "procedural"  # the model of what is drawn here and not taken from the catalog
Rectangle = tuple[float, float, float, float]


@dataclass
class Instance:
    """One thing of a room: its class, its model, its triangles in the room's coordinates."""

    kind: str
    model: str
    parts: tuple[Part, ...]
    emission: float = 0.0  # radiance of its parts, multiplied by their color
    has_box: bool = True


@dataclass
class Support:
    """A piece of furniture that small things can stand on, in its own coordinates."""

    parts: tuple[Part, ...]
    width: float
    depth: float
    angle: float
    position: tuple[float, float]
    taken: list[tuple[float, float, float]] = field(default_factory=list)  # x, z, radius


class Room:
    """An empty box of ``width`` x ``depth`` x ``height`` meters that fills itself, as the seed says.

    Args:
        seed: two rooms of one seed and the same models are equal.
        models: the furniture to choose from, by class.
        folder: where the furniture's archives are.
    """

    def __init__(self, seed: int, models: dict[str, list[Model]], folder: Path) -> None:
        self.random = random.Random(seed)
        self.painter = Painter(self.random, np.random.default_rng(seed))
        self.models, self.folder = models, folder
        self.width, self.depth = self.random.uniform(3.2, 5.6), self.random.uniform(3.2, 5.6)
        self.height = self.random.uniform(2.4, 2.9)
        self.instances: list[Instance] = []
        self.occupied: list[Rectangle] = []  # footprints on the floor
        self.hung: list[list[Rectangle]] = [[], [], [], []]  # on each wall: along it from, up from, along to, up to
        self.supports: list[Support] = []
        self._shell()
        self._windows()
        for what in PLANS[self.random.choice(list(PLANS))]:
            self._furnish(what)
        self._hang_paintings()
        for _ in range(self.random.randint(1, 3)):
            self._stand("objects", lambda model: model.size[1] > 0.45, corner=True)
        for _ in range(self.random.randint(2, 5)):
            self._put_on_top()
        for _ in range(self.random.randint(1, 3)):
            self._put_books()
        self._camera()

    # --- walls, floor, light

    def _shell(self) -> None:
        w, d, h = self.width, self.depth, self.height
        wall = self.painter.pale()
        floor = self.painter.floor_texture()
        stretch = self.random.uniform(0.8, 1.6)  # meters of floor to a texture
        self._add("floor", [quad((0, 0, 0), (0, 0, d), (w, 0, 0), texture=floor, repeat=(d / stretch, w / stretch))])
        self._add("ceiling", [quad((0, h, 0), (w, 0, 0), (0, 0, d), (0.8, 0.8, 0.78))])
        accent = self.random.randrange(8)  # one wall of another color, in half of the rooms
        striped = self.random.randrange(8)
        corners = ((0, 0, 0), (w, 0, 0), (w, 0, d), (0, 0, d))
        skirting = (0.75,) * 3 if self.random.random() < 0.6 else tuple(0.5 * x for x in wall)
        for side, (origin, along) in enumerate(
            zip(corners, ((w, 0, 0), (0, 0, d), (-w, 0, 0), (0, 0, -d)), strict=True)
        ):
            color = self.painter.pale() if side == accent else tuple(x * self.random.uniform(0.96, 1.0) for x in wall)
            texture = self.painter.stripes(color) if side == striped else None
            length = self._length(side)
            parts = [quad(origin, along, (0, h, 0), color, texture, (length / 1.5, 1))]
            x, z, _ = self._at_wall(side, length / 2, 0.008)
            parts += turned(box((0, 0.04, 0), (length, 0.08, 0.015), skirting), FACING[side], x, 0, z)
            self._add("wall", parts)
        size = self.random.uniform(0.5, 1.0)
        x, z = w / 2 + self.random.uniform(-0.4, 0.4) - size / 2, d / 2 + self.random.uniform(-0.4, 0.4) - size / 2
        lamp = quad((x, h - 0.02, z), (size, 0, 0), (0, 0, size), (1.0, self.random.uniform(0.8, 0.95), 0.75))
        self.instances.append(Instance("objects", PROCEDURAL, (lamp,), self.random.choice((0.4, 2.0, 4.0, 6.0))))
        if self.random.random() < 0.45:
            wide, deep = self.random.uniform(1.2, 2.2), self.random.uniform(1.0, 1.8)
            x, z = self.random.uniform(0.2, w - wide - 0.2), self.random.uniform(0.2, d - deep - 0.2)
            rug = self.painter.picture()
            self._add("floor", [quad((x, 0.006, z), (0, 0, deep), (wide, 0, 0), texture=rug)])

    def _windows(self) -> None:
        walls = self.random.sample(range(4), self.random.choice((1, 1, 2)))
        sky = self.random.uniform(3.0, 7.0)
        for side in walls:
            length = self._length(side)
            wide, high = self.random.uniform(1.0, min(2.2, length - 0.8)), self.random.uniform(1.0, 1.4)
            middle, sill = self.random.uniform(wide / 2 + 0.3, length - wide / 2 - 0.3), self.random.uniform(0.75, 1.0)
            x, z, _ = self._at_wall(side, middle, 0.0)
            pane = quad((-wide / 2, 0, 0.012), (wide, 0, 0), (0, high, 0), self.random.choice(SKIES))
            glass = turned([pane], FACING[side], x, sill, z)
            self.instances.append(Instance("window", f"{PROCEDURAL} {side}", tuple(glass), sky))
            shade = (0.75, 0.75, 0.75) if self.random.random() < 0.7 else (0.25, 0.15, 0.08)
            count = self.random.choice((2, 3, 3, 4))
            upright = box((0, high / 2, 0.03), (0.05, high + 0.05, 0.06), shade)
            bars = [shifted(part, (bar / (count - 1) - 0.5) * wide) for bar in range(count) for part in upright]
            bars += box((0, 0, 0.04), (wide + 0.1, 0.05, 0.08), shade)
            bars += box((0, high, 0.03), (wide + 0.05, 0.05, 0.06), shade)
            self.instances.append(
                Instance("window", f"{PROCEDURAL} {side}", tuple(turned(bars, FACING[side], x, sill, z)))
            )
            self.hung[side].append((middle - wide / 2 - 0.1, sill - 0.05, middle + wide / 2 + 0.1, sill + high + 0.1))

    # --- furniture

    def _furnish(self, what: str) -> None:
        if what == "shelf":
            self._bookshelf()
        elif what == "tv":
            self._television()
        elif what == "chair":
            self._stand("chair")
        elif what in ("table", "desk"):
            high = what == "desk" or self.random.random() < 0.6
            table = self._stand("table", lambda model: (model.size[1] > 0.6) == high, back=what == "desk" or None)
            for _ in range(self.random.randint(1, 4) if table and high and what == "table" else bool(table and high)):
                self._chair_at(table)
            if what == "desk" and table:
                self._television(table)
        else:
            self._stand(what, back=True)

    def _stand(
        self,
        kind: str,
        fits: Callable[[Model], bool] = lambda model: True,
        back: bool | None = None,
        corner: bool = False,
    ) -> Support | None:
        """Stand a model on the floor, with its back at a wall if ``back``, at a wall or a corner if ``corner``."""
        candidates = [model for model in self.models[kind] if fits(model) and model.size[1] < self.height - 0.1]
        if not candidates:
            return None
        model = self.random.choice(candidates)
        for _ in range(12):
            side = self.random.randrange(4)
            angle = FACING[side] if back or corner else self.random.choice((*FACING, self.random.uniform(0, 6.28)))
            across, along = footprint(model.size[0], model.size[2], angle)
            if across > self.width - 0.3 or along > self.depth - 0.3:
                continue
            x = self.random.uniform(across / 2 + 0.06, self.width - across / 2 - 0.06)
            z = self.random.uniform(along / 2 + 0.06, self.depth - along / 2 - 0.06)
            if back or corner:
                place = self.random.uniform(model.size[0] / 2 + 0.06, self._length(side) - model.size[0] / 2 - 0.06)
                if corner and self.random.random() < 0.5:
                    place = model.size[0] / 2 + 0.1
                x, z, _ = self._at_wall(side, place, model.size[2] / 2 + 0.05)
                reach = (place - model.size[0] / 2, 0.0, place + model.size[0] / 2, model.size[1])
                if not corner and any(overlap(reach, hung) for hung in self.hung[side]):
                    continue
            if self._claim(x, z, across, along):
                return self._place(model, x, z, angle)
        return None

    def _chair_at(self, table: Support) -> None:
        model = self.random.choice([model for model in self.models["chair"] if model.size[2] < 0.7])
        for _ in range(6):
            turn = self.random.randrange(4)
            reach = (
                (table.depth if turn % 2 == 0 else table.width) / 2
                + model.size[2] / 2
                + self.random.uniform(0.03, 0.15)
            )
            out = table.angle + turn * math.pi / 2
            x, z = table.position[0] + reach * math.sin(out), table.position[1] + reach * math.cos(out)
            slide = self.random.uniform(-0.25, 0.25) * (table.width if turn % 2 == 0 else table.depth)
            x, z = x + slide * math.cos(out), z - slide * math.sin(out)
            angle = out + math.pi
            if self._claim(x, z, *footprint(model.size[0], model.size[2], angle), gap=0.01):
                self._place(model, x, z, angle)
                return

    def _television(self, support: Support | None = None) -> None:
        model = self.random.choice(self.models["tv"])
        on_wall = "wall" in model.name or (support is None and self.random.random() < 0.3)
        if on_wall and support is None and "imac" not in model.title.lower():
            side = self.random.randrange(4)
            place, up = self.random.uniform(0.8, self._length(side) - 0.8), self.random.uniform(0.9, 1.3)
            reach = (place - model.size[0] / 2, up, place + model.size[0] / 2, up + model.size[1])
            if not any(overlap(reach, hung) for hung in self.hung[side]):
                x, z, _ = self._at_wall(side, place, model.size[2] / 2 + 0.01)
                self.hung[side].append(reach)
                self._instance(model, x, up, z, FACING[side])
            return
        low = [other for other in self.supports if 0.35 < max(p.points[..., 1].max() for p in other.parts) < 1.1]
        for other in [support] if support else self.random.sample(low, len(low)):
            if self._put(model, other, 0.0, -max(0.0, other.depth / 2 - model.size[2] / 2 - 0.04), other.angle):
                return

    def _bookshelf(self) -> None:
        """Stand an open shelf with rows of books at a wall."""
        wide, high, deep = self.random.uniform(0.6, 1.3), self.random.uniform(0.9, 2.0), self.random.uniform(0.26, 0.34)
        wood = self.random.choice(((0.75, 0.75, 0.72), (0.35, 0.2, 0.1), (0.5, 0.33, 0.18), (0.12, 0.09, 0.07)))
        boards = max(3, round(high / 0.34) + 1)
        parts = box((0, high / 2, -deep / 2 + 0.008), (wide, high, 0.016), wood)
        for edge in (-1, 1):
            parts += box((edge * (wide / 2 - 0.012), high / 2, 0), (0.024, high, deep), wood)
        for board in range(boards):
            y = 0.03 + board / (boards - 1) * (high - 0.06)
            parts += box((0, y, 0), (wide, 0.022, deep), wood)
        for _ in range(12):
            side = self.random.randrange(4)
            place = self.random.uniform(wide / 2 + 0.1, self._length(side) - wide / 2 - 0.1)
            x, z, _ = self._at_wall(side, place, deep / 2 + 0.05)
            reach = (place - wide / 2, 0.0, place + wide / 2, high)
            if any(overlap(reach, hung) for hung in self.hung[side]):
                continue
            if not self._claim(x, z, *footprint(wide, deep, FACING[side])):
                continue
            self._add("furniture", turned(parts, FACING[side], x, 0, z), has_box=True)
            pitch = (high - 0.06) / (boards - 1)
            for board in range(boards - 1):
                if self.random.random() < 0.8:
                    filled = self.random.uniform(0.4, 0.93) * wide
                    books = self.painter.row(filled, min(pitch - 0.05, 0.27))
                    left = self.random.choice((-wide / 2 + 0.03, wide / 2 - 0.03 - filled))
                    y = 0.03 + board * pitch + 0.011
                    row = [shifted(part, left, y, -deep / 2 + 0.1) for part in books]
                    self._add("books", turned(row, FACING[side], x, 0, z), has_box=True)
            self.supports.append(Support(tuple(parts), wide, deep, FACING[side], (x, z)))
            return

    def _put_on_top(self) -> None:
        small = [model for model in self.models["objects"] if max(model.size) < 0.75 and model.size[0] < 0.5]
        if not small or not self.supports:
            return
        model = self.random.choice(small)
        for _ in range(8):
            support = self.random.choice(self.supports)
            x = self.random.uniform(-0.5, 0.5) * max(0.0, support.width - model.size[0])
            z = self.random.uniform(-0.5, 0.5) * max(0.0, support.depth - model.size[2])
            if self._put(model, support, x, z, support.angle + self.random.uniform(-0.4, 0.4)):
                return

    def _put_books(self) -> None:
        """Place a row or a pile of books on something."""
        if not self.supports:
            return
        wide = self.random.uniform(0.15, 0.5)
        parts = self.painter.row(wide, 0.27) if self.random.random() < 0.5 else self.painter.pile()
        points = np.concatenate([part.points.reshape(-1, 3) for part in parts])
        low, high = points.min(0), points.max(0)
        parts = [shifted(part, -(low[0] + high[0]) / 2, 0, -(low[2] + high[2]) / 2) for part in parts]
        size = tuple(float(x) for x in high - low)
        for _ in range(8):
            support = self.random.choice(self.supports)
            x = self.random.uniform(-0.5, 0.5) * max(0.0, support.width - size[0])
            z = self.random.uniform(-0.5, 0.5) * max(0.0, support.depth - size[2])
            spot = self._free_spot(support, x, z, (size[0], size[1], size[2]))
            if spot:
                self._add("books", turned(parts, support.angle, *spot), has_box=True)
                return

    def _put(self, model: Model, support: Support, x: float, z: float, angle: float) -> bool:
        spot = self._free_spot(support, x, z, model.size)
        if spot:
            self._instance(model, *spot, angle)
        return spot is not None

    def _free_spot(
        self, support: Support, x: float, z: float, size: tuple[float, float, float]
    ) -> tuple[float, float, float] | None:
        """Where in the room (x, z) of a support is, if a thing of this size stands there level and alone."""
        radius = math.hypot(size[0], size[2]) / 2
        if any(math.hypot(x - a, z - b) < radius + r for a, b, r in support.taken):
            return None
        dx, dz = (grid.ravel() for grid in np.meshgrid(*[np.linspace(-0.45, 0.45, 4)] * 2))
        heights = top(support.parts, x + dx * size[0], z + dz * size[2])
        if np.ptp(heights) > 0.012 or not 0.3 < heights.max() < 1.7 or heights.max() + size[1] > self.height - 0.1:
            return None
        support.taken.append((x, z, radius))
        c, s = math.cos(support.angle), math.sin(support.angle)
        return support.position[0] + c * x + s * z, float(heights.max()) + 0.001, support.position[1] - s * x + c * z

    def _hang_paintings(self) -> None:
        for _ in range(self.random.choice((1, 2, 2, 3, 4))):
            side = self.random.randrange(4)
            wide, high = self.random.uniform(0.35, 1.1), self.random.uniform(0.35, 0.8)
            place, up = self.random.uniform(wide / 2 + 0.2, self._length(side) - wide / 2 - 0.2), 1.55 - high / 2
            reach = (place - wide / 2, up, place + wide / 2, up + high)
            if any(overlap(reach, hung) for hung in self.hung[side]):
                continue
            self.hung[side].append(reach)
            frame = self.random.choice(((0.05, 0.05, 0.05), (0.7, 0.7, 0.68), (0.45, 0.3, 0.1), (0.25, 0.14, 0.07)))
            parts = box((0, high / 2, 0.012), (wide, high, 0.024), frame)
            rim = 0.03
            inner = (wide - 2 * rim, 0, 0), (0, high - 2 * rim, 0)
            parts.append(quad((-wide / 2 + rim, rim, 0.026), *inner, texture=self.painter.picture()))
            x, z, _ = self._at_wall(side, place, 0.0)
            self._add("painting", turned(parts, FACING[side], x, up, z), has_box=True)

    # --- camera

    def _camera(self) -> None:
        """Stand at eye height with free space around, where much is in view."""
        self.field_of_view = self.random.uniform(60, 75)  # degrees, of the width
        views = []
        for _ in range(40):
            x, z = self.random.uniform(0.2, self.width - 0.2), self.random.uniform(0.2, self.depth - 0.2)
            if min(x, z, self.width - x, self.depth - z) > 0.8:
                continue  # with the back at a wall more is seen
            if any(math.hypot(max(a - x, 0, x - c), max(b - z, 0, z - d)) < 0.45 for a, b, c, d in self.occupied):
                continue
            tx, tz = self.width / 2 + self.random.uniform(-0.7, 0.7), self.depth / 2 + self.random.uniform(-0.7, 0.7)
            look = math.atan2(tx - x, tz - z)
            seen = 0.0
            for a, b, c, d in self.occupied:
                px, pz = (a + c) / 2 - x, (b + d) / 2 - z
                turn = abs((math.atan2(px, pz) - look + math.pi) % (2 * math.pi) - math.pi)
                seen += turn < math.radians(self.field_of_view) / 2 and math.hypot(px, pz) > 1.2
            views.append((seen + self.random.uniform(0, 1.5), x, z, tx, tz))
        _, x, z, tx, tz = max(views, default=(0.0, 0.3, 0.3, self.width / 2, self.depth / 2))
        eye = self.random.uniform(1.3, 1.75)
        self.origin = (x, eye, z)
        self.target = (tx, eye - math.hypot(tx - x, tz - z) * math.tan(math.radians(self.random.uniform(2, 20))), tz)

    # --- placing

    def _length(self, side: int) -> float:
        return self.width if side % 2 == 0 else self.depth

    def _at_wall(self, side: int, along: float, away: float) -> tuple[float, float, float]:
        """Return x and z of the point ``along`` a wall and ``away`` from it, and the angle of what faces the room."""
        x, z = ((along, away), (self.width - away, along), (along, self.depth - away), (away, along))[side]
        return x, z, FACING[side]

    def _claim(self, x: float, z: float, across: float, along: float, gap: float = 0.06) -> bool:
        wanted = (x - across / 2, z - along / 2, x + across / 2, z + along / 2)
        inside = (
            wanted[0] > 0.02 and wanted[1] > 0.02 and wanted[2] < self.width - 0.02 and wanted[3] < self.depth - 0.02
        )
        grown = (wanted[0] - gap, wanted[1] - gap, wanted[2] + gap, wanted[3] + gap)
        if not inside or any(overlap(grown, other) for other in self.occupied):
            return False
        self.occupied.append(wanted)
        return True

    def _place(self, model: Model, x: float, z: float, angle: float) -> Support:
        self._instance(model, x, 0.001, z, angle)
        support = Support(load(self.folder, model), model.size[0], model.size[2], angle, (x, z))
        if model.kind in ("table", "furniture"):
            self.supports.append(support)
        return support

    def _instance(self, model: Model, x: float, y: float, z: float, angle: float) -> None:
        parts = turned(load(self.folder, model), angle, x, y, z)
        self.instances.append(Instance(model.kind, model.name, tuple(parts)))

    def _add(self, kind: str, parts: list[Part], has_box: bool = False) -> None:
        self.instances.append(Instance(kind, PROCEDURAL, tuple(parts), has_box=has_box))


def overlap(a: Rectangle, b: Rectangle) -> bool:
    """Whether two rectangles (x1, y1, x2, y2) share an area."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def footprint(width: float, depth: float, angle: float) -> tuple[float, float]:
    """Return the extent in x and in z of a rectangle that is turned."""
    c, s = abs(math.cos(angle)), abs(math.sin(angle))
    return width * c + depth * s, width * s + depth * c
