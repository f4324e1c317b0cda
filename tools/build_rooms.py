"""Build ``multitask/data/rooms.parquet``: path-traced rooms with depth, labels, normals and boxes, pixel-exact.

Needs this project, the Debian package sweethome3d-furniture (the furniture: CC BY 3.0 and CC0) and, of PyPI, mitsuba.
All surfaces that are not furniture are drawn by ``surfaces.py``.

    python tools/build_rooms.py --work /tmp/rooms    # some 15 minutes on one core; continues where it was stopped

The rooms of the test split are furnished with other models than those of training. A pixel's color is the mean of
``--samples`` paths. What noise is left is smoothed over neighbors of like depth, normal, albedo and light, a joint
bilateral filter. Depth, labels, normals and boxes come of one ray through the middle of each pixel and are exact.
"""

import argparse
import io
import math
import random
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import drjit
import mitsuba
import numpy as np
import pyarrow as arrow
from exposure import smooth, tone
from furniture import FurnitureError, Model, catalog, load
from PIL import Image
from pyarrow import parquet
from room_layout import PROCEDURAL, Room

from multitask.data import ROOM_CLASSES

mitsuba.set_variant("scalar_rgb")  # rooms are all different: llvm_ad_rgb compiles each one for longer than it renders

WIDTH, HEIGHT = 128, 96
VOID = 255
TEST_MODELS = 0.25  # part of each class's models that only test rooms have
FEWEST_PIXELS = 20  # of an instance that gets a box
LICENSE = """\
# Licenses of rooms.parquet

The pictures in `rooms.parquet` were made for this project with `tools/build_rooms.py` and may be used under the
license CC BY 3.0 <https://creativecommons.org/licenses/by/3.0/>. They show furniture models of the Debian package
`sweethome3d-furniture` 1.8 by the authors named below, under CC BY 3.0, CC BY 3.0 US
<https://creativecommons.org/licenses/by/3.0/us/> or CC0 1.0 <https://creativecommons.org/publicdomain/zero/1.0/>.
Changes: the models were scaled, given opaque matt surfaces, placed in rooms and rendered. Walls, floors, windows,
lamps, paintings, books and the shelves named `procedural` are drawn by the program.

| model | class | title | author | license |
| --- | --- | --- | --- | --- |
"""
COLUMNS = ("image", "label", "depth", "normal")


def main() -> None:
    """Render what is missing in the work folder, then write the data file and its licenses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for the rooms that are done")
    parser.add_argument("--out", type=Path, default=Path("multitask/data"), help="folder of rooms.parquet")
    parser.add_argument("--furniture", type=Path, default=Path("/usr/share/sweethome3d/furniture"))
    parser.add_argument("--train", type=int, default=400, help="rooms to train on")
    parser.add_argument("--test", type=int, default=100, help="rooms to test on")
    parser.add_argument("--samples", type=int, default=16, help="paths for each pixel")
    parser.add_argument("--threads", type=int, default=1, help="cores to use")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other rooms")
    options = parser.parse_args()
    drjit.set_thread_count(options.threads)
    try:
        options.work.mkdir(parents=True, exist_ok=True)
        models = usable(options.furniture)
        splits = split_models(models, options.seed)
        wanted = [("train", number, number / options.train) for number in range(options.train)]
        wanted += [("test", number, number / options.test) for number in range(options.test)]
        # By turns: what is there when it is stopped is a smaller set of the same parts.
        rooms = [saved_room(options, split, number, splits[split]) for split, number, _ in sorted(wanted, key=by_turns)]
        rows = sorted(rooms, key=lambda row: (row["split"] != "train", row["scene"]))
        options.out.mkdir(parents=True, exist_ok=True)
        write(options.out / "rooms.parquet", rows)
        (options.out / "ROOMS-LICENSE.md").write_text(license_page(rows, models), encoding="utf-8")
    except (FurnitureError, OSError) as error:
        sys.exit(f"build_rooms: {error}")


def by_turns(room: tuple[str, int, float]) -> tuple[float, str]:
    """Sort key of a split's rooms by how far into the split they are."""
    return room[2], room[0]


def usable(folder: Path) -> list[Model]:
    """List the models that can be read; those that cannot are named on the error stream."""
    models = []
    for model in catalog(folder):
        try:
            load(folder, model)
            models.append(model)
        except FurnitureError as error:
            print(f"left out: {error}", file=sys.stderr)
    return models


def split_models(models: list[Model], seed: int) -> dict[str, dict[str, list[Model]]]:
    """Share every class's models out, so that no family of them is in both splits."""
    splits: dict[str, dict[str, list[Model]]] = {"train": {}, "test": {}}
    by_kind: dict[str, list[Model]] = defaultdict(list)
    for model in models:
        by_kind[model.kind].append(model)
    for kind, members in by_kind.items():
        families = sorted({model.family for model in members})
        random.Random(f"{seed} {kind}").shuffle(families)
        held_out = set(families[: max(1, round(TEST_MODELS * len(families)))])
        splits["test"][kind] = [model for model in members if model.family in held_out]
        splits["train"][kind] = [model for model in members if model.family not in held_out]
    return splits


def saved_room(options: argparse.Namespace, split: str, number: int, models: dict[str, list[Model]]) -> dict[str, Any]:
    """Read a room from the work folder; render and save it there if it is missing."""
    path = options.work / f"{split}-{number:04}-{options.seed}-{options.samples}.parquet"
    if not path.exists():
        for attempt in range(100):
            seed = ((options.seed * 2 + (split == "test")) * 10_000 + number) * 100 + attempt
            row = render(Room(seed, models, options.furniture), seed, options.samples)
            if row:
                break
        unfinished = path.with_suffix(".part")
        parquet.write_table(
            arrow.Table.from_pylist([{"split": split, "scene": f"{split}-{number:04}", **row}]), unfinished
        )
        unfinished.rename(path)
        print(f"{split} {number}: {attempt + 1} tries", flush=True)
    return parquet.read_table(path).to_pylist()[0]


# --- one room


def render(room: Room, seed: int, samples: int) -> dict[str, Any] | None:
    """Render a room, or give None if too little is to be seen in it."""
    with tempfile.TemporaryDirectory() as folder:
        shapes, owners = shapes_of(room, Path(folder))
        # Merged shapes would lose whose pixel is whose.
        scene = mitsuba.load_dict({"type": "scene", **shapes}, optimize=False, parallel=False)
    truth = ground_truth(room, scene, owners, seed)
    if truth is None:
        return None
    light = trace(room, scene, {"type": "path", "max_depth": 4}, samples, seed)
    shown = tone(smooth(light, **truth.pop("surfaces")))
    picture = io.BytesIO()
    Image.fromarray(shown).save(picture, "JPEG", quality=95, subsampling=0)
    return {"image": picture.getvalue(), **truth}


def shapes_of(room: Room, folder: Path) -> tuple[dict[str, Any], list[int]]:
    """Describe a room to Mitsuba; the i-th shape belongs to instance ``owners[i]``."""
    shapes: dict[str, Any] = {}
    owners = []
    for owner, instance in enumerate(room.instances):
        for part in instance.parts:
            file = folder / f"{len(owners)}.ply"
            write_ply(file, part.points, part.uv)
            color: dict[str, Any] = {"type": "rgb", "value": list(part.color)}
            if part.texture is not None:
                color = {"type": "bitmap", "bitmap": mitsuba.Bitmap(part.texture)}
            surface = {"type": "twosided", "side": {"type": "diffuse", "reflectance": color}}
            shape = {"type": "ply", "filename": str(file), "face_normals": True, "bsdf": surface}
            if instance.emission:
                radiance = {"type": "rgb", "value": [instance.emission * x for x in part.color]}
                shape["emitter"] = {"type": "area", "radiance": radiance}
            shapes[f"shape{len(owners):05}"] = shape
            owners.append(owner)
    return shapes, owners


def write_ply(file: Path, points: np.ndarray, uv: np.ndarray) -> None:
    """Write triangles; v is turned over, as Mitsuba counts a texture's rows from above."""
    count = points.shape[0] * 3
    vertices = np.concatenate([points.reshape(-1, 3), uv.reshape(-1, 2) * (1, -1) + (0, 1)], 1).astype("<f4")
    faces = np.zeros(count // 3, dtype=[("corners", "u1"), ("index", "<i4", 3)])
    faces["corners"], faces["index"] = 3, np.arange(count).reshape(-1, 3)
    properties = "".join(f"property float {name}\n" for name in "xyzuv")
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n{properties}"
    header += f"element face {count // 3}\nproperty list uchar int vertex_indices\nend_header\n"
    file.write_bytes(header.encode() + vertices.tobytes() + faces.tobytes())


def trace(room: Room, scene: Any, integrator: dict[str, Any], samples: int, seed: int) -> np.ndarray:
    """Render with an integrator; one sample goes through the middle of the pixel."""
    camera = {
        "type": "perspective",
        "fov": room.field_of_view,
        "fov_axis": "x",
        "near_clip": 0.02,
        "to_world": mitsuba.ScalarTransform4f().look_at(room.origin, room.target, [0, 1, 0]),
        "film": {
            "type": "hdrfilm",
            "width": WIDTH,
            "height": HEIGHT,
            "rfilter": {"type": "box"},  # no pixel has a part of its neighbor's
            "pixel_format": "rgb",
            "component_format": "float32",
        },
        "sampler": {"type": "stratified", "sample_count": samples, "jitter": samples > 1},
    }
    camera, light = mitsuba.load_dict(camera), mitsuba.load_dict(integrator)
    return np.array(mitsuba.render(scene, sensor=camera, integrator=light, spp=samples, seed=seed % 2**31))


def ground_truth(room: Room, scene: Any, owners: list[int], seed: int) -> dict[str, Any] | None:
    """Trace the labels, depth, normals and boxes; None where the view is poor."""
    integrator = {"type": "aov", "aovs": "albedo:albedo,index:shape_index,normal:sh_normal,depth:depth"}
    channels = trace(room, scene, integrator, 1, seed)
    albedo, index, normal, distance = np.split(channels[..., -8:], (3, 4, 7), -1)
    index, distance = index[..., 0].astype(int), distance[..., 0]
    if (index < 1).any():  # counted from 1; 0 is nothing, a ray that slipped through a corner
        return None
    order = [owners[int(shape.id().removeprefix("shape"))] for shape in scene.shapes()]
    owner = np.array(order)[index - 1]

    focal = WIDTH / 2 / math.tan(math.radians(room.field_of_view) / 2)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    rays = np.stack(
        [(x - WIDTH / 2) / focal, (HEIGHT / 2 - y) / focal, -np.ones_like(x)], -1
    )  # z is towards the viewer
    depth = distance / np.linalg.norm(rays, axis=-1)  # Mitsuba's is along the ray
    forward = np.array(room.target) - room.origin
    backward = -forward / np.linalg.norm(forward)
    right = np.cross((0, 1, 0), backward)
    right /= np.linalg.norm(right)
    normal = normal @ np.stack([right, np.cross(backward, right), backward], 1)
    normal *= -np.sign((normal * rays).sum(-1, keepdims=True))  # a surface has two sides; the seen one counts

    kinds = np.array([ROOM_CLASSES.index(instance.kind) for instance in room.instances], np.uint8)
    label = kinds[owner]
    boxes, classes, names = [], [], []
    things: dict[Any, list[int]] = defaultdict(list)  # a window is two instances: what shines, and its frame
    for number, instance in enumerate(room.instances):
        if instance.has_box:
            things[(instance.kind, instance.model) if instance.kind == "window" else number].append(number)
    for members in things.values():
        rows, columns = np.nonzero(np.isin(owner, members))
        if len(rows) >= FEWEST_PIXELS:
            instance = room.instances[members[0]]
            boxes.append([int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1])
            classes.append(ROOM_CLASSES.index(instance.kind))
            names.append(instance.model.split(" ")[0])
            if len(rows) > 0.45 * owner.size:
                return None
    shares = Counter(label.ravel().tolist())
    furnished = sum(name != PROCEDURAL for name in names)
    floor, wall = (shares[ROOM_CLASSES.index(kind)] / label.size for kind in ("floor", "wall"))
    if furnished < 2 or floor < 0.05 or wall > 0.7 or depth.min() < 0.35 or depth.max() > 8.9:
        return None
    return {
        "label": png(label),
        "depth": png(np.round(depth * 1000).astype(np.uint16)),
        "normal": png(np.round(normal * 127 + 128).astype(np.uint8)),
        "boxes": boxes,
        "classes": classes,
        "models": names,
        "focal": focal,
        "surfaces": {
            "albedo": albedo,
            "normal": normal,
            "depth": depth,
            "emits": np.array([instance.emission > 0 for instance in room.instances])[owner],
        },
    }


def png(values: np.ndarray) -> bytes:
    """Encode a picture without loss."""
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", optimize=True)
    return file.getvalue()


# --- all rooms


def write(file: Path, rows: list[dict[str, Any]]) -> None:
    """Write the rows with a schema that says what the numbers mean."""
    whole = arrow.list_(arrow.int16())
    fields = [("split", arrow.string()), ("scene", arrow.string()), *((name, arrow.binary()) for name in COLUMNS)]
    fields += [("boxes", arrow.list_(whole)), ("classes", arrow.list_(arrow.uint8()))]
    fields += [("models", arrow.list_(arrow.string())), ("focal", arrow.float32())]
    notes = {
        "classes": " ".join(ROOM_CLASSES),
        "image": f"JPEG, sRGB, {WIDTH} x {HEIGHT}",
        "label": f"PNG, 8 bits: index into classes; {VOID} would be void",
        "depth": "PNG, 16 bits: distance along the optical axis in millimeters",
        "normal": "PNG, 3 x 8 bits: (value - 128) / 127; x to the right, y up, z towards the viewer",
        "boxes": "x1 y1 x2 y2 in pixels, x2 and y2 exclusive, of what is visible; classes and models in the same order",
        "focal": "in pixels; the principal point is the middle of the picture",
        "license": "CC BY 3.0; authors in ROOMS-LICENSE.md",
    }
    table = arrow.Table.from_pylist(rows, schema=arrow.schema(fields, metadata=notes))
    # The pictures are compressed already; small groups let a reader take a few rooms.
    parquet.write_table(table, file, compression="zstd", row_group_size=100, use_dictionary=["split"])


def license_page(rows: list[dict[str, Any]], models: list[Model]) -> str:
    """Name the models that are seen, their authors and licenses."""
    seen = {name for row in rows for name in row["models"]}
    table = [
        f"| {model.name} | {model.kind} | {model.title} | {model.author} | {model.license} |"
        for model in sorted(models, key=lambda model: model.name.lower())
        if model.name in seen
    ]
    return LICENSE + "\n".join(table) + "\n"


if __name__ == "__main__":
    main()
