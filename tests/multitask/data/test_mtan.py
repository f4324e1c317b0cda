from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torchvision import tv_tensors

from multitask.data import MTAN, DataError, DepthMap, InverseDepthMap, NormalMap


def write(root: Path, count: int = 12, dtype: Any = np.float32, **changed: np.ndarray) -> None:
    """A small tree as MTAN's NYUv2; ``changed`` replaces the first file of a kind."""
    random = np.random.default_rng(0)
    for index in range(count):
        arrays = {
            "image": random.random((6, 8, 3)).astype(np.float32),
            "label": random.integers(-1, 13, (6, 8)).astype(dtype),
            "depth": random.random((6, 8, 1)).astype(dtype) * 9 + 1 if dtype != np.int64 else np.full((6, 8, 1), 2),
            "normal": random.normal(size=(6, 8, 3)).astype(np.float32),
        }
        arrays["image"][:] = index / count
        arrays["depth"][0, 0] = 0
        if index == 0:
            arrays |= changed
        for kind, array in arrays.items():
            path = root / "train" / kind / f"{index}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_nyuv2(tmp_path: Path, dtype: Any) -> None:
    write(tmp_path, dtype=dtype)
    scenes = MTAN(tmp_path, "train")
    assert len(scenes) == 12
    assert scenes.describe() == "12 scenes (labels 12, depth 12, normals 12)"
    scene = scenes[3]
    assert scene.pop("name") == str(tmp_path / "train" / "*" / "3")
    assert isinstance(scene["image"], tv_tensors.Image)
    assert isinstance(scene["depth"], DepthMap)
    assert isinstance(scene["normals"], NormalMap)
    assert {name: (tuple(value.shape), value.dtype) for name, value in scene.items()} == {
        "image": ((3, 6, 8), torch.float32),
        "labels": ((6, 8), torch.int64),
        "depth": ((1, 6, 8), torch.float32),
        "normals": ((3, 6, 8), torch.float32),
    }
    label = np.load(tmp_path / "train" / "label" / "3.npy").astype(int)
    assert np.array_equal(scene["labels"], np.where(label == -1, 255, label))
    assert scene["depth"][0, 0, 0] == 0
    assert_close(scene["normals"][:, 2, 5], torch.from_numpy(np.load(tmp_path / "train" / "normal" / "3.npy")[2, 5]))


def test_scenes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write(tmp_path)
    brightness = [scene["image"].mean().item() for scene in (MTAN(tmp_path, "train")[index] for index in range(12))]
    assert brightness == sorted(brightness)


def test_cityscapes_has_inverse_depth_and_no_normals(tmp_path: Path) -> None:
    write(tmp_path)
    for file in (tmp_path / "train" / "normal").iterdir():
        file.unlink()
    (tmp_path / "train" / "normal").rmdir()
    scene = MTAN(tmp_path, "train", inverse_depth=True)[0]
    assert set(scene) == {"name", "image", "labels", "depth"}
    assert isinstance(scene["depth"], InverseDepthMap)


def test_unknown_depth_may_be_nan_or_infinite(tmp_path: Path) -> None:
    depth = np.full((6, 8, 1), np.nan, np.float32)
    depth[0], depth[1], depth[2, 3] = np.inf, -np.inf, 4
    write(tmp_path, depth=depth)
    assert MTAN(tmp_path, "train")[0]["depth"].sum() == 4


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"image": np.zeros((6, 8))},
            r"image.0\.npy must hold .* shape H x W x 3; got float64 of 6 x 8 x 1",
        ),
        (
            {"label": np.zeros((6, 8, 3))},
            r"label.0\.npy must hold .* shape H x W x 1; got float64 of 6 x 8 x 3",
        ),
        ({"label": np.zeros((5, 8))}, r"train.\*.0: labels is 5 x 8 pixels and the image 6 x 8"),
        ({"depth": np.full((6, 8, 1), np.nan)}, r"train.\*.0: depth has no value above 0; unknown depth is 0"),
        ({"label": np.full((6, 8), "wall")}, r"label.0\.npy must hold numbers of the shape H x W x 1; got <U4"),
        ({"label": np.array([None])}, r"label.0\.npy is no array of numpy's"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, changed: dict[str, np.ndarray], message: str) -> None:
    write(tmp_path, 1, **changed)
    with pytest.raises(DataError, match=message):
        MTAN(tmp_path, "train")[0]


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there are no \.npy files in .*val.image; MTAN's splits are train and val"):
        MTAN(tmp_path, "val")
    write(tmp_path, 2)
    (tmp_path / "train" / "depth" / "1.npy").unlink()
    with pytest.raises(DataError, match=r"depth.1\.npy: no such file"):
        MTAN(tmp_path, "train")[1]
