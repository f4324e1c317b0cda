from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from inference import Picture
from pix2pix.data import DataError, PairedImages, Pairs, TwoFolders
from tests.pix2pix.pictures import small_data, write_picture, write_side_by_side


def batches(data: PairedImages, split: str = "train") -> list[dict[str, Any]]:
    return list(getattr(data, f"{split}_dataloader")())


def test_batches_are_as_documented(tmp_path: Path) -> None:
    first = batches(small_data(tmp_path / "data"))[0]
    assert {key: tuple(value.shape) for key, value in first.items() if key != "name"} == {
        "input": (2, 3, 16, 16),
        "target": (2, 3, 16, 16),
    }
    assert first["input"].dtype == torch.float32
    assert first["input"].min() >= -1
    assert first["input"].max() <= 1
    assert all(isinstance(name, str) and name.startswith("train") for name in first["name"])


def test_direction(tmp_path: Path) -> None:
    plain: dict[str, Any] = {"load_size": None, "crop_size": None, "color_jitter": 0.0}
    forward = batches(small_data(tmp_path / "data", **plain), "test")[0]
    backward = batches(small_data(tmp_path / "data", **plain, direction="BtoA"), "test")[0]
    assert torch.equal(forward["input"], backward["target"])
    assert torch.equal(forward["target"], backward["input"])
    assert not torch.equal(forward["input"], forward["target"])


def test_channels(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data", input_channels=1, target_channels=4, color_jitter=0.0)
    assert [batches(data)[0][side].shape[1] for side in ("input", "target")] == [1, 4]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_no_pixel(workers: int, tmp_path: Path) -> None:
    alone, several = (batches(small_data(tmp_path / "data", num_workers=n)) for n in (0, workers))
    for a, b in zip(alone, several, strict=True):
        assert a["name"] == b["name"]
        assert torch.equal(a["input"], b["input"])


def test_augmentation_differs_between_epochs_and_not_in_evaluation(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data")
    training, evaluation = data.dataset("train", augment=True), data.dataset("train")
    assert not torch.equal(training[0, 1]["input"], training[1, 1]["input"])
    assert torch.equal(training[0, 1]["input"], training[0, 1]["input"])
    assert torch.equal(evaluation[0, 1]["input"], evaluation[1, 1]["input"])


def test_loading_leaves_the_random_state_alone(tmp_path: Path) -> None:
    data, before = small_data(tmp_path / "data"), torch.get_rng_state()
    batches(data)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_layout_of_ones_own(tmp_path: Path) -> None:
    class Gray(Pairs):
        def __init__(self, root: Path, split: str) -> None:
            self.names = ["dark", "light"]

        def read(self, index: int) -> tuple[Picture, Picture]:
            return Picture.of(Image.new("L", (16, 16), 255 * index)), Picture.of(Image.new("L", (16, 16), 128))

    data = small_data(tmp_path / "data", layout=Gray, color_jitter=0.0)
    assert batches(data, "val")[0]["input"].mean((1, 2, 3)).tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("stage", "missing"), [("fit", "train"), ("fit", "val"), ("validate", "val"), ("test", "test"), ("predict", "test")]
)
def test_a_missing_split_is_said_before_anything_starts(stage: str, missing: str, tmp_path: Path) -> None:
    root = write_side_by_side(tmp_path / "data")
    (root / missing).rename(root / "elsewhere")
    with pytest.raises(DataError, match=rf"data/{missing}: no such folder"):
        small_data(root).setup(stage)
    small_data(root, **{f"{missing}_split": "elsewhere"}).setup(stage)


def test_pictures_in_no_split_are_told_where_to_go(tmp_path: Path) -> None:
    write_picture(tmp_path / "data" / "a.png", 32, 16)
    with pytest.raises(DataError, match=r"data/train: no such folder; put the pictures of .*data into train, val and"):
        PairedImages(tmp_path / "data").setup("fit")


def test_less_than_one_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"10 training samples are less than one batch; lower batch_size, 11 for each of 1"
    ):
        small_data(tmp_path / "data", batch_size=11).setup("fit")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_picture_is_named_in_one_line_also_by_a_worker(workers: int, tmp_path: Path) -> None:
    root = write_side_by_side(tmp_path / "data", train=2)
    (root / "train" / "train00.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    with pytest.raises(DataError) as error:
        batches(small_data(root, num_workers=workers))
    assert str(error.value).startswith(f"{root}/train/train00.png: ")
    assert "\n" not in str(error.value)


def test_pictures_of_different_size_in_one_batch_are_refused_by_name(tmp_path: Path) -> None:
    root = write_side_by_side(tmp_path / "data", test=1)
    write_picture(root / "test" / "wide.png", 48, 16)
    data = small_data(root, load_size=None, crop_size=None)
    with pytest.raises(DataError, match=r"wide: 16 x 24 pixels .* test00 of the same batch has 16 x 16; set load_size"):
        batches(data, "test")


def test_a_picture_smaller_than_the_crop_is_named(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data", load_size=None, crop_size=20)
    with pytest.raises(DataError, match=r"train\d\d: 16 x 16 pixels .* smaller than crop_size 20 x 20"):
        batches(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_channels": 0}, "input_channels must be at least 1; got 0"),
        ({"target_window": (5, 5)}, r"target_window must be \[low, high\] with low < high; got \[5, 5\]"),
        ({"input_labels": 1}, "input_labels must be from 2 to 256; got 1"),
        ({"input_labels": 12}, "color_jitter works on 1 or 3 input_channels; got 12"),
        ({"input_channels": 4}, "color_jitter works on 1 or 3 input_channels; got 4"),
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
    ],
)
def test_bad_options_are_refused(options: dict[str, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        small_data(tmp_path / "data", **options)


def test_two_folders_through_the_module(tmp_path: Path) -> None:
    for folder in "AB":
        write_picture(tmp_path / "set" / folder / "test" / "1.png")
    data = small_data(tmp_path / "set", layout=TwoFolders)
    assert batches(data, "test")[0]["name"] == ["1"]
