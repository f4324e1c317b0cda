import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from inference import DataError
from inference.pictures import Array
from pix2pix.data import PairedImages, Stacks

RANDOM = np.random.default_rng(0)


def write(root: Path, a: Array, b: Array, name: str = "1", **options: Any) -> None:
    for folder, pages in ("A", a), ("B", b):
        (root / folder / "train").mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(root / folder / "train" / f"{name}.tif", pages, photometric="minisblack", **options)


def pages(count: int, size: int = 20) -> Array:
    return RANDOM.integers(0, 65536, (count, size, size), dtype=np.uint16)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"compression": "zlib", "tile": (16, 16)}])
def test_each_slice_is_a_pair_with_its_neighbors(options: dict[str, Any], tmp_path: Path) -> None:
    a, b = pages(4), pages(4)
    write(tmp_path, a, b, **options)
    write(tmp_path, a[:1], b[:1], "2")
    stacks = Stacks(tmp_path, "train", neighbors=2)
    assert stacks.names == ["1-0000", "1-0001", "1-0002", "1-0003", "2-0000"]
    stacks = pickle.loads(pickle.dumps(stacks))  # as workers get it where they are not forked
    for index, around in enumerate([(0, 0, 0, 1, 2), (0, 0, 1, 2, 3), (0, 1, 2, 3, 3), (1, 2, 3, 3, 3)]):
        source, target = stacks.read(index)
        assert np.array_equal(source.read(), a[list(around)].transpose(1, 2, 0))
        assert np.array_equal(target.read()[..., 0], b[index])
    assert np.array_equal(stacks.read(4)[0].read(), a[[0] * 5].transpose(1, 2, 0))


def test_stacks_through_the_module(tmp_path: Path) -> None:
    write(tmp_path, pages(4), pages(4))
    options: dict[str, Any] = {"load_size": None, "crop_size": 16, "input_channels": 3, "target_channels": 1}
    data = PairedImages(tmp_path, Stacks, num_workers=0, **options)
    pair = data.dataset("train", augment=True)[0, 1]
    assert (pair["input"].shape, pair["target"].shape) == ((3, 16, 16), (1, 16, 16))
    assert data.formats.neighbors == 1
    with pytest.raises(DataError, match="direction BtoA: in stacks A has the neighboring slices"):
        _ = PairedImages(tmp_path, Stacks, direction="BtoA", **options).formats


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    write(tmp_path, pages(4), pages(3))
    with pytest.raises(DataError, match=r"A/train/1\.tif: 4 pages, and .*B/train/1\.tif has 3"):
        Stacks(tmp_path, "train")
    write(tmp_path, pages(2), pages(2, size=22))
    with pytest.raises(DataError, match=r"A/train/1\.tif: 20 x 20 pixels, not the same 22 x 22 as"):
        Stacks(tmp_path, "train").read(0)
    with pytest.raises(ValueError, match="neighbors must be at least 0; got -1"):
        Stacks(tmp_path, "train", neighbors=-1)
    tifffile.imwrite(tmp_path / "A" / "train" / "1.tif", RANDOM.integers(0, 9, (8, 8, 3), np.uint8), photometric="rgb")
    with pytest.raises(DataError, match=r"1\.tif: 3 channels in 1 pages; each page must be a gray picture"):
        Stacks(tmp_path, "train")
