"""Furniture models of the package ``sweethome3d-furniture``: which class each is of, and their triangles."""

import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

ARCHIVES = {  # the files of the package, with the license and the authors that their LICENSE.TXT states
    "BlendSwap-CC-0": ("CC0 1.0", "{creator} (Blend Swap), converted by Emmanuel Puybaret / eTeks"),
    "BlendSwap-CC-BY": ("CC BY 3.0", "{creator} (Blend Swap), converted by Emmanuel Puybaret / eTeks"),
    "KatorLegaz": ("CC BY 3.0 US", "Andrew Kator & Jennifer Legaz"),
    "Scopia": ("CC BY 3.0", "Scopia Visual Interfaces Systems, s.l. and Emmanuel Puybaret / eTeks"),
}
CATEGORIES = ("Living room", "Bedroom", "Office", "Lights", "Miscellaneous")
RULES = (  # the first rule that finds something in a model's name gives its class
    ("objects", r"\b(desk lamp|table lamp|little lamp|suitcase|bear|vase|laptop|ibook)\b"),
    ("bed", r"\b(bed|futon|crib)$"),
    ("sofa", r"sofa|couch"),
    ("chair", r"chair|stool|\bseat\b"),
    ("furniture", r"wardrobe|cabinet|drawers|shelves|bookcase|chest|cupboard|bedside|tv stand|dress(er|ing table)"),
    ("table", r"\btable$|\bdesk( table)?$|table on|table with|^wooden .* table|^(glass|bar|coffee) table"),
    ("tv", r"\btv\b(?! stand| remote)|television$|imac"),
    ("objects", r"plant|ficus|lamp|tree|flowers|bamboo|tulips|speaker|radio|fan$|gift|backpack|briefcase|piano|guitar"),
    ("objects", r"yucca|orchids|cactus|bonsai|safe$|trunck|cardboard|crate|radiator|aquarium|puff$|dustbin|printer"),
)
UNFIT = re.compile(  # not what the name says, or too large for a bedroom
    r"opened|bunk|mezzanine|hospital|football|tennis|pool|technical|ceiling|pendant|street|park|camping|fluor|water|"
    r"air mattress|doll|day_bed|classic-lamp|custom-desk|box_room|contemp|hanging|changing|wheelchair|chandelier"
)


class FurnitureError(Exception):
    """A furniture file cannot be used; one line says which and why."""


@dataclass(frozen=True)
class Model:
    """One model of the catalog: its class, where it lies, its size in meters (x wide, y high, z deep)."""

    kind: str
    archive: str
    file: str
    title: str
    author: str
    license: str
    size: tuple[float, float, float]
    rotation: tuple[float, ...]

    @property
    def name(self) -> str:
        """``ARCHIVE/STEM``, unique in the catalog."""
        return f"{self.archive}/{PurePosixPath(self.file).stem}"

    @property
    def family(self) -> str:
        """Models of one family look alike (a sofa with two and with three seats), so they share a split."""
        return f"{self.archive}/{PurePosixPath(self.file).stem[:10]}"


@dataclass(frozen=True)
class Part:
    """Triangles of one material: points (n, 3, 3) in meters, texture coordinates (n, 3, 2), a color or a texture."""

    points: np.ndarray
    uv: np.ndarray
    color: tuple[float, float, float]  # linear
    texture: np.ndarray | None = field(default=None)  # (height, width, 3) uint8, sRGB


def catalog(folder: Path) -> list[Model]:
    """List the usable models of the package's archives in ``folder``, in a fixed order.

    Raises:
        FurnitureError: an archive is missing.
    """
    return [model for archive in sorted(ARCHIVES) for model in _models(folder, archive)]


def _models(folder: Path, archive: str) -> Iterator[Model]:
    path = folder / f"{archive}.sh3f"
    if not path.is_file():
        raise FurnitureError(f"{path}: no such file; install the Debian package sweethome3d-furniture")
    license_name, author = ARCHIVES[archive]
    entries: dict[int, dict[str, str]] = defaultdict(dict)
    with zipfile.ZipFile(path) as files:
        names = set(files.namelist())
        for line in files.read("PluginFurnitureCatalog.properties").decode("latin1").splitlines():
            if found := re.match(r"(\w+)#(\d+)=(.*)", line.strip()):
                entries[int(found[2])][found[1]] = found[3]
        for entry in entries.values():
            file, title = entry["model"].lstrip("/"), entry["name"]
            kind = next((kind for kind, rule in RULES if re.search(rule, title.lower())), None)
            width, depth, height = (float(entry[key]) / 100 for key in ("width", "depth", "height"))
            if (
                kind is None
                or file not in names
                or entry["category"] not in CATEGORIES
                or entry["doorOrWindow"] == "true"
                or UNFIT.search(f"{title} {file}".lower())
                or (float(entry.get("elevation", 0)) > 0 and kind != "tv")
                or not (max(width, depth, height) > 0.2 and max(width, depth) < 2.6 and height < 2.3)
                or files.getinfo(file).file_size > 2_000_000
            ):
                continue
            rotation = tuple(float(x) for x in entry.get("modelRotation", "1 0 0 0 1 0 0 0 1").split())
            creator = author.format(creator=entry["creator"])
            yield Model(kind, archive, file, title, creator, license_name, (width, height, depth), rotation)


@cache
def load(folder: Path, model: Model) -> tuple[Part, ...]:
    """Read a model's triangles: standing on y = 0, centered in x and z, its front towards +z, of its size in meters.

    Raises:
        FurnitureError: materials are missing, or a texture has transparent parts, which labels would not follow.
    """
    with zipfile.ZipFile(folder / f"{model.archive}.sh3f") as files:
        home = PurePosixPath(model.file).parent
        points, uv, faces, libraries = _read_obj(files.read(model.file).decode("latin1"))
        materials: dict[str | None, dict[str, str]] = {}
        for library in libraries:
            if str(home / library) not in files.namelist():
                raise FurnitureError(f"{home / library}: the model's materials are missing")
            materials |= _read_mtl(files.read(str(home / library)).decode("latin1"))
        points = points @ np.array(model.rotation).reshape(3, 3).T
        used = points[np.concatenate([np.array(triangles)[..., 0].ravel() for triangles in faces.values()])]
        low, high = used.min(0), used.max(0)
        middle = (low + high) / 2
        middle[1] = low[1]
        points = (points - middle) * (np.array(model.size) / np.maximum(high - low, 1e-6))
        parts = []
        for name, triangles in faces.items():
            corners = np.array(triangles)
            material = materials.get(name, {})
            texture = _texture(files, home / material["map_Kd"]) if "map_Kd" in material else None
            red, green, blue = (float(x) for x in material.get("Kd", "0.6 0.6 0.6").split()[:3])
            # Models hold colors as a screen shows them; light needs them linear. No surface is black or white.
            color = tuple(float(np.clip(x, 0, 1) ** 2.2 * 0.8 + 0.03) for x in (red, green, blue))
            at = uv[corners[..., 1]]
            at[(np.ptp(at, axis=1) > 100).any(-1)] = 0  # a broken model's, whose colors would be no colors
            at = at - np.floor(at.min(1, keepdims=True))  # a texture repeats; far from 0 its lookup overflows
            parts.append(Part(points[corners[..., 0]], at, color, texture))  # type: ignore[arg-type]
    return tuple(parts)


def _read_obj(text: str) -> tuple[np.ndarray, np.ndarray, dict[str | None, list], list[str]]:
    points, uv, libraries = [], [(0.0, 0.0)], []
    faces: dict[str | None, list] = defaultdict(list)
    material = None
    for line in text.splitlines():
        words = line.split()
        match words[:1]:
            case ["v"]:
                points.append([float(x) for x in words[1:4]])
            case ["vt"]:
                uv.append((float(words[1]), float(words[2])))
            case ["usemtl"]:
                material = " ".join(words[1:])
            case ["mtllib"]:
                libraries.append(" ".join(words[1:]))
            case ["f"]:
                corners = []
                for word in words[1:]:
                    at, *more = word.split("/")
                    point, coordinate = int(at), int(more[0]) if more and more[0] else 0
                    corners.append(
                        (
                            point - 1 if point > 0 else len(points) + point,
                            coordinate if coordinate >= 0 else len(uv) + coordinate,
                        )
                    )
                faces[material].extend((corners[0], *edge) for edge in pairwise(corners[1:]))
    return np.array(points), np.array(uv), faces, libraries


def _read_mtl(text: str) -> dict[str | None, dict[str, str]]:
    materials: dict[str | None, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        if key == "newmtl":
            current = materials[value.strip()] = {}
        elif key in ("Kd", "map_Kd"):
            current[key] = value.strip() if key == "Kd" else value.split()[-1]
    return materials


def _texture(files: zipfile.ZipFile, path: PurePosixPath) -> np.ndarray | None:
    if str(path) not in files.namelist():
        return None
    picture = Image.open(BytesIO(files.read(str(path))))
    if "A" in picture.getbands() and np.array(picture.getchannel("A")).min() < 128:
        raise FurnitureError(f"{path}: a texture with transparent parts")
    picture = picture.convert("RGB")
    # A pixel of a room covers more than one of this.
    return np.array(picture.resize(tuple(min(256, max(8, side)) for side in picture.size)))


def top(parts: tuple[Part, ...], x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the height of the highest surface above each (x, z) of a model; 0 where there is none."""
    triangles = np.concatenate([part.points for part in parts])
    a, b, c = (triangles[:, corner, :] for corner in range(3))
    heights = np.zeros(len(x))
    area = (b[:, 0] - a[:, 0]) * (c[:, 2] - a[:, 2]) - (c[:, 0] - a[:, 0]) * (b[:, 2] - a[:, 2])
    flat = np.abs(area) > 1e-9
    a, b, c, area = a[flat], b[flat], c[flat], area[flat]
    for index, (px, pz) in enumerate(zip(x, z, strict=True)):
        v = ((px - a[:, 0]) * (c[:, 2] - a[:, 2]) - (c[:, 0] - a[:, 0]) * (pz - a[:, 2])) / area
        w = ((b[:, 0] - a[:, 0]) * (pz - a[:, 2]) - (px - a[:, 0]) * (b[:, 2] - a[:, 2])) / area
        over = (v >= 0) & (w >= 0) & (v + w <= 1)
        if over.any():
            heights[index] = (a[over, 1] + v[over] * (b - a)[over, 1] + w[over] * (c - a)[over, 1]).max()
    return heights
