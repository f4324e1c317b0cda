"""With a cache every pair is equal to the bit to what it is without one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inference import DataError, Picture, read_checkpoint, write_picture
from inference.pictures import Array
from pix2pix.data import PairedImages, Pairs, Parquet, SideBySide, Stacks, TwoFolders
from tests.pix2pix.pictures import small_data, write_side_by_side
from tests.training.programs import PIX2PIX, SILENCED, the_run
from training.data import Cache

RANDOM = np.random.default_rng(0)
HEIGHT, WIDTH = 22, 20  # of A, and of B

pytestmark = SILENCED

WHERE: list[Cache] = ["disk", "memory"]
PLAIN: dict[str, Any] = {"color_jitter": 0.0}


def of(dtype: str, channels: int = 3, high: int | None = None) -> Array:
    """A pair side by side."""
    shape = HEIGHT, 2 * WIDTH, channels
    if dtype == "float32":
        return RANDOM.normal(size=shape).astype(np.float32)
    return RANDOM.integers(0, high or np.iinfo(dtype).max + 1, shape).astype(dtype)


def unknown() -> Array:
    array = of("float32", 1)
    array[5:8, 3:9] = array[2, WIDTH + 4] = np.nan
    return array


KINDS: dict[str, tuple[Any, str, dict[str, Any]]] = {  # what makes a pair, its file's ending, options of the data
    "rgb": (lambda: of("uint8"), ".png", {}),
    "jpeg": (lambda: of("uint8"), ".jpg", {}),
    "gray": (lambda: of("uint8", 1), ".png", {"input_channels": 1, "target_channels": 3}),
    "16 bits": (lambda: of("uint16"), ".tif", {}),
    "a window of 8 bits": (lambda: of("uint8"), ".png", {"input_window": (10, 200)}),
    "channels": (lambda: of("uint8", 5), ".npy", {"input_channels": 5, "target_channels": 5, **PLAIN}),
    "a label map": (lambda: of("uint8", 1, high=4), ".png", {"input_labels": 4, "target_channels": 1, **PLAIN}),
    "flat colors": (lambda: of("uint8", high=3), ".png", {"label_maps": "both"}),
    "floats": (lambda: of("float32"), ".tif", {}),
    "unknown pixels": (unknown, ".tif", {"input_channels": 1, "target_channels": 1, "nan": "mask", **PLAIN}),
    "no resize": (lambda: of("uint8"), ".png", {"load_size": None}),
    "no crop": (lambda: of("uint8"), ".png", {"crop_size": None}),
    "of the load size": (lambda: of("uint8"), ".png", {"load_size": (HEIGHT, WIDTH)}),
}


def write(root: Path, kind: str) -> dict[str, Any]:
    """Write a data set of a kind; return its options."""
    make, ending, options = KINDS[kind]
    for split, count in {"train": 3, "val": 2, "test": 1}.items():
        (root / split).mkdir(parents=True)
        for index in range(count):
            write_picture(root / split / f"{index}{ending}", make())
    return {"load_size": 18, "crop_size": 16, "num_workers": 0, "color_jitter": 0.3, **options}


def samples(data: PairedImages, split: str = "train") -> list[dict[str, Any]]:
    """Two epochs of a split, as its loader reads them."""
    dataset = getattr(data, f"{split}_dataloader")().dataset
    return [dataset[epoch, index] for epoch in range(2) for index in range(len(dataset))]


def assert_same(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> None:
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        assert one.keys() == other.keys()
        assert one["name"] == other["name"]
        assert all(torch.equal(one[key], other[key]) for key in one if key != "name")


def remove(root: Path, split: str) -> None:
    """Empty the pictures of a split: who reads them now is told so."""
    for file in (root / split).iterdir():
        file.write_bytes(b"")


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("kind", KINDS)
def test_every_bit_is_the_same(kind: str, where: Cache, tmp_path: Path) -> None:
    options = write(tmp_path, kind)
    plain, cached = PairedImages(tmp_path, **options), PairedImages(tmp_path, cache=where, **options)
    expected = {split: samples(plain, split) for split in ("train", "val", "test")}
    for split in "train", "val":
        loader = getattr(cached, f"{split}_dataloader")()
        remove(tmp_path, split)  # now all that comes, comes from the cache
        again = [loader.dataset[epoch, index] for epoch in range(2) for index in range(len(loader.dataset))]
        assert_same(again, expected[split])
    assert_same(samples(cached, "test"), expected["test"])  # which is read from its files: once


def test_jitter_does_not_depend_on_how_a_picture_lies_in_memory(tmp_path: Path) -> None:
    """Contrast is changed about the mean, a sum of floats, whose order must be the same."""
    options = {**write(tmp_path, "rgb"), "load_size": 190, "crop_size": 170, "color_jitter": 0.9, "flip": True}
    plain, cached = PairedImages(tmp_path, **options), PairedImages(tmp_path, cache="memory", **options)
    one, other = plain.train_dataloader().dataset, cached.train_dataloader().dataset
    for epoch in range(8):
        assert_same([one[epoch, 1]], [other[epoch, 1]])


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_from_the_middle_of_an_epoch_on(where: Cache, workers: int, tmp_path: Path) -> None:
    write_side_by_side(tmp_path / "data", 7, 1, 1)
    rest = []
    for cache in None, where:
        loader = small_data(tmp_path / "data", cache=cache, num_workers=workers).train_dataloader()
        loader.batch_sampler.go_to(3, 1)
        rest.append(list(loader))
    for one, other in zip(*rest, strict=True):
        assert one["name"] == other["name"]
        assert torch.equal(one["input"], other["input"])
        assert torch.equal(one["target"], other["target"])


def test_a_pair_that_cannot_be_read_is_skipped_as_without_a_cache(tmp_path: Path) -> None:
    root = write_side_by_side(tmp_path / "data", 5)
    (root / "train" / "train01.png").write_bytes(b"damaged")
    found = []
    for cache in None, *WHERE:
        data = small_data(root, cache=cache, on_bad_sample="skip")
        found.append(samples(data))
        bad = data.bad("train")
        assert bad is not None
        assert bad.tolist() == [False, True, False, False, False]
    assert_same(found[0], found[1])
    assert_same(found[0], found[2])
    with pytest.raises(DataError, match=r"train01\.png: not a picture"):
        samples(small_data(root, cache="disk"))


def test_pairs_of_unlike_sizes_are_read_from_their_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {**write(tmp_path, "rgb"), "load_size": None}
    write_picture(tmp_path / "train" / "1.png", of("uint8")[:18])
    cached = samples(PairedImages(tmp_path, cache="disk", **options))
    assert "1 of 3 of train are read from their files each time" in capsys.readouterr().out
    assert_same(cached, samples(PairedImages(tmp_path, **options)))


def test_a_picture_that_was_drawn_again_is_not_the_old_one(tmp_path: Path) -> None:
    options = write(tmp_path, "rgb")
    old = samples(PairedImages(tmp_path, cache="disk", **options))
    write_picture(tmp_path / "train" / "0.png", of("uint8"))
    new = samples(PairedImages(tmp_path, cache="disk", **options))
    assert not torch.equal(old[0]["input"], new[0]["input"])
    assert_same(new, samples(PairedImages(tmp_path, **options)))


OTHERS: list[dict[str, Any]] = [
    {"direction": "BtoA"},
    {"load_size": 17},
    {"label_maps": "input"},
    {"input_channels": 1},
    {"target_window": (0, 100)},
]


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: next(iter(other)))
def test_other_options_do_not_read_the_cache_of_the_first(other: dict[str, Any], tmp_path: Path) -> None:
    options = write(tmp_path, "rgb")
    samples(PairedImages(tmp_path, cache="disk", **options))
    assert_same(
        samples(PairedImages(tmp_path, cache="disk", **(options | other))),
        samples(PairedImages(tmp_path, **(options | other))),
    )
    assert len(list((tmp_path / "cache").glob("train-*.npy"))) == 2


@pytest.mark.parametrize("other", [{"crop_size": 12}, {"flip": False}, {"color_jitter": 0.1}], ids=str)
def test_options_of_what_is_random_share_a_cache(other: dict[str, Any], tmp_path: Path) -> None:
    options = write(tmp_path, "rgb")
    samples(PairedImages(tmp_path, cache="disk", **options))
    assert_same(
        samples(PairedImages(tmp_path, cache="disk", **(options | other))),
        samples(PairedImages(tmp_path, **(options | other))),
    )
    assert len(list((tmp_path / "cache").glob("train-*.npy"))) == 1


def test_the_formats_of_a_checkpoint_make_another_cache(tmp_path: Path) -> None:
    options = {**write(tmp_path, "floats"), "num_workers": 0}
    for where in WHERE:
        data = PairedImages(tmp_path, cache=where, **options)
        before = samples(data)
        known = data.what_models_need()
        known["input"]["window"] = (-1.0, 1.0)
        data.take_over(known)
        plain = PairedImages(tmp_path, **options)
        plain.take_over(known)
        assert_same(samples(data), samples(plain))
        assert not torch.equal(samples(data)[0]["input"], before[0]["input"])


def test_memory_is_filled_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = PairedImages(tmp_path, cache="memory", **write(tmp_path, "rgb"))
    for _ in range(2):
        samples(data)
        samples(data, "val")
    assert capsys.readouterr().out.count("of memory for") == 2


def folders(root: Path, *names: str) -> None:
    for name in names:
        for split in "train", "val":
            (root / name / split).mkdir(parents=True)
            for index in range(2):
                write_picture(root / name / split / f"{index}.tif", of("uint8"))


def stack(root: Path) -> None:
    import tifffile

    for name in "A", "B":
        (root / name / "train").mkdir(parents=True)
        pages = RANDOM.integers(0, 65536, (4, HEIGHT, WIDTH), dtype=np.uint16)
        tifffile.imwrite(root / name / "train" / "1.tif", pages, photometric="minisblack")


def parquet(root: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[bytes]] = {"a": [], "b": [], "c": []}
    for column in columns.values():
        for _ in range(2):
            write_picture(root / "picture.png", of("uint8"))
            column.append((root / "picture.png").read_bytes())
    pq.write_table(pa.table(columns), root / "train.parquet")


def layouts(root: Path) -> list[tuple[Any, Any, dict[str, Any]]]:
    """Layouts that read other things of the same files."""
    return [
        (lambda r, s: TwoFolders(r, s), lambda r, s: TwoFolders(r, s, "B", "A"), {}),
        (lambda r, s: TwoFolders(r, s, ("A", "C")), lambda r, s: TwoFolders(r, s, ("C", "A")), {"input_channels": 6}),
        (lambda r, s: Stacks(r, s), lambda r, s: Stacks(r, s, "B", "A"), {"target_channels": 1}),
        (lambda r, s: Parquet(r, s), lambda r, s: Parquet(r, s, "c", "b"), {}),
    ]


@pytest.mark.parametrize("number", range(4), ids=["two folders", "stacked", "slices", "parquet"])
def test_every_layout_has_caches_that_are_not_those_of_its_other_options(number: int, tmp_path: Path) -> None:
    {0: lambda root: folders(root, "A", "B"), 1: lambda root: folders(root, "A", "B", "C"), 2: stack, 3: parquet}[
        number
    ](tmp_path)
    one, other, more = layouts(tmp_path)[number]
    for layout in one, other:
        options: dict[str, Any] = {"load_size": 18, "crop_size": 16, "num_workers": 0, "layout": layout, **more}
        cached = samples(PairedImages(tmp_path, cache="disk", **options))
        assert_same(cached, samples(PairedImages(tmp_path, **options)))


def test_a_layout_of_ones_own_that_does_not_tell_its_files_is_kept_in_memory_alone(tmp_path: Path) -> None:
    class Mine(Pairs):
        def __init__(self, root: Path, split: str) -> None:
            self.halves = SideBySide(root, split)
            self.names = self.halves.names

        def read(self, index: int) -> tuple[Picture, Picture]:
            return self.halves.read(index)

    options = write(tmp_path, "rgb")
    expected = samples(PairedImages(tmp_path, Mine, **options))
    assert_same(samples(PairedImages(tmp_path, Mine, cache="memory", **options)), expected)
    with pytest.raises(DataError, match="Mine does not say which files it reads; give it sources"):
        samples(PairedImages(tmp_path, Mine, cache="disk", **options))


@pytest.mark.slow
def test_a_run_with_a_cache_ends_with_the_weights_of_one_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    PIX2PIX.enter(tmp_path, monkeypatch)
    weights = []
    for name, options in {"plain": [], "cached": ["--data.cache", "disk", "--data.num_workers", "1"]}.items():
        PIX2PIX.main(["fit", "--config", "small.yaml", "--name", name, *options])
        weights.append(read_checkpoint(the_run(name) / "checkpoints" / "last.ckpt")["state_dict"])
    said = capsys.readouterr().out
    kept = [line for line in said.splitlines() if line.startswith("cache: ")]
    folder = tmp_path / "data" / "cache"
    assert [line.partition(" in ")[2] for line in kept] == [f"{folder} for train", f"{folder} for val"]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
