from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference import DataError, open_picture, write_picture
from inference.pictures import PictureFormat
from inference.pictures.picture import Array
from pix2pix.data import PairedImages, TwoFolders
from pix2pix.data.formats import PairFormats
from pix2pix.data.transforms import PairTransform


def write(root: Path, a: Array, b: Array, ending: str = ".tif", split: str = "train", name: str = "1") -> None:
    for folder, array in ("A", a), ("B", b):
        (root / folder / split).mkdir(parents=True, exist_ok=True)
        write_picture(root / folder / split / f"{name}{ending}", array)


def data(root: Path, **options: Any) -> PairedImages:
    plain: dict[str, Any] = {"load_size": None, "crop_size": None, "flip": False, "num_workers": 0}
    return PairedImages(root, TwoFolders, **(plain | {"input_channels": 1, "target_channels": 1} | options))


RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64, 1)


@pytest.mark.parametrize("ending", [".png", ".tif", ".npy"])
def test_a_12_bit_ramp_comes_back_through_training(ending: str, tmp_path: Path) -> None:
    write(tmp_path, RAMP, RAMP[::-1], ending)
    module = data(tmp_path, input_window=(0, 4095), target_window=(0, 4095))
    pair = module.dataset("train", augment=True)[0, 0]
    assert np.array_equal(module.formats.input.to_array(pair["input"]), RAMP)
    assert np.array_equal(module.formats.target.to_array(pair["target"]), RAMP[::-1])
    assert pair["input"].min() == -1
    assert pair["input"].max() == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("round")


@given(
    st.sampled_from(["uint8", "uint16"]),
    st.sampled_from([".png", ".tif", ".npy"]),
    st.sampled_from([1, 3, 4, 7]),
    st.booleans(),
    st.data(),
)
def test_the_round_trip_is_exact(
    folder: Path, dtype: str, ending: str, channels: int, windowed: bool, draw: st.DataObject
) -> None:
    """Write, read, transform as in training, invert, write, read."""
    ending = ".tif" if channels == 7 and ending == ".png" else ending
    largest = int(np.iinfo(dtype).max)
    low, high = sorted(draw.draw(st.lists(st.integers(0, largest), min_size=2, max_size=2, unique=True)))
    values = st.integers(low, high) if windowed else None
    array = draw.draw(arrays(dtype, (5, 9, channels), elements=values))
    write_picture(folder / f"a{ending}", array)
    format = PictureFormat(channels, dtype, (float(low), float(high)) if windowed else None)
    picture = open_picture(folder / f"a{ending}", axes="yxc")
    seen, _ = PairTransform(None, None, flip=False)((picture, picture), (format, format), torch.Generator())
    assert seen.abs().max() <= 1
    write_picture(folder / f"b{ending}", format.to_array(seen))
    assert np.array_equal(open_picture(folder / f"b{ending}", axes="yxc").read(), array)


def test_the_window_of_floating_point_is_measured_and_told(tmp_path: Path) -> None:
    numbers = np.linspace(-1000, 3000, 10001, dtype=np.float32)[:10000].reshape(100, 100, 1)
    write(tmp_path, numbers, numbers.clip(-500, 500))
    module = data(tmp_path, target_window=(-500, 400))
    low, high = module.formats.input.range
    assert (low, high) == pytest.approx((-996, 2996), abs=0.5)  # the 0.1 and 99.9 percentiles
    said = module.describe()
    assert said[0] == f"input: float32, {low:g} to {high:g} become -1 to 1, 0.20% of the training values are clipped"
    assert said[1].startswith("target: float32, -500 to 400 become -1 to 1, 64.99%")


def test_8_bits_need_no_words(tmp_path: Path) -> None:
    write(tmp_path, RAMP.astype(np.uint8), RAMP.astype(np.uint8), ".png")
    assert data(tmp_path).describe() == []


def test_numbers_that_mean_something_else_are_refused(tmp_path: Path) -> None:
    write(tmp_path, RAMP, RAMP, ".png")
    write(tmp_path, RAMP.astype(np.uint8), RAMP, ".png", name="2")
    write(tmp_path, RAMP, RAMP.astype(np.uint8), ".png", name="3")
    train = data(tmp_path).dataset("train")
    assert train[0, 1]["input"].shape == (1, 64, 64)  # an input has the range of its own integers
    with pytest.raises(DataError, match=r"B/train/3\.png: uint8, where the training pictures hold uint16"):
        train[0, 2]
    with pytest.raises(DataError, match=r"A/train/2\.png: uint8, where the training pictures hold uint16"):
        data(tmp_path, input_window=(0, 4095)).dataset("train")[0, 1]


def test_folders_are_stacked_along_channels(tmp_path: Path) -> None:
    write(tmp_path, RAMP, RAMP + 7)
    module = data(tmp_path, input_channels=2)
    module._layout = lambda root, split: TwoFolders(root, split, folder_a=["A", "B"])
    pair = module.dataset("train")[0, 0]
    assert np.array_equal(module.formats.input.to_array(pair["input"]), np.concatenate([RAMP, RAMP + 7], 2))
    assert module.formats.stack == ("A", "B")
    write(tmp_path, RAMP[:9], RAMP, name="2")
    with pytest.raises(DataError, match=r"A/train/2\.tif: 64 x 9 pixels, not the same 64 x 64 as .*B/train/2\.tif"):
        module._layout(tmp_path, "train").read(1)


def test_pages_are_channels(tmp_path: Path) -> None:
    import tifffile

    for folder in "AB":
        (tmp_path / folder / "train").mkdir(parents=True)
        pages = np.random.default_rng(0).integers(0, 99, (5, 20, 30), dtype=np.uint16)
        tifffile.imwrite(tmp_path / folder / "train" / "1.tif", pages, photometric="minisblack")
    module = PairedImages(
        tmp_path,
        lambda root, split: TwoFolders(root, split, axes="cyx"),
        load_size=None,
        crop_size=None,
        input_channels=5,
        target_channels=5,
    )
    assert module.dataset("train")[0, 0]["input"].shape == (5, 20, 30)
    assert module.formats.axes == "cyx"


def test_labels_become_channels(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 12, (64, 64, 1), dtype=np.uint8)
    write(tmp_path, labels, RAMP.astype(np.uint8), ".png")
    module = data(tmp_path, input_labels=12, load_size=40, crop_size=32)
    seen = module.dataset("train", augment=True)[0, 0]["input"]
    assert seen.shape == (12, 32, 32)
    assert ((seen == 1).sum(0) == 1).all()  # resized without mixing
    assert ((seen == -1).sum(0) == 11).all()


def test_unknown_pixels_are_said_to_be_unknown(tmp_path: Path) -> None:
    a, b = (np.full((4, 4, 1), 0.5, np.float32) for _ in range(2))
    a[0, 0], b[3, 3] = np.nan, np.nan
    write(tmp_path, a, b)
    options: dict[str, Any] = {"input_window": (0, 1), "target_window": (0, 1)}
    with pytest.raises(DataError, match=r"A/train/1\.tif: 1 pixels are NaN; set nan to mask if they are unknown"):
        data(tmp_path, **options).dataset("train")[0, 0]
    module = data(tmp_path, **options, nan="mask")
    batch = module.collate([module.dataset("train")[0, 0]])
    assert batch["known"].shape == (1, 1, 4, 4)
    assert (~batch["known"]).nonzero()[:, 2:].tolist() == [[0, 0], [3, 3]]
    assert batch["input"].isfinite().all()
    assert batch["target"].isfinite().all()


def test_a_crop_at_the_scale_of_the_file_reads_no_more_than_that(tmp_path: Path) -> None:
    """Of pairs of 160 GB, which nobody has."""
    for folder in "AB":
        (tmp_path / folder / "train").mkdir(parents=True)
        with (tmp_path / folder / "train" / "1.npy").open("wb") as file:
            header = {"descr": "<u2", "fortran_order": False, "shape": (300_000, 300_000)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + 2 * 300_000**2)
    dataset = data(tmp_path, crop_size=64, input_window=(0, 4095))
    assert dataset.formats.clipped == (0, 0)
    assert dataset.dataset("train", augment=True)[0, 0]["target"].shape == (1, 64, 64)
    assert dataset.dataset("train")[0, 0]["target"].shape == (1, 64, 64)


def test_evaluation_at_the_scale_of_the_files_takes_the_middle(tmp_path: Path) -> None:
    write(tmp_path, RAMP, RAMP)
    module = data(tmp_path, crop_size=(10, 20))
    seen = module.formats.input.to_array(module.dataset("train")[0, 0]["input"])
    assert np.array_equal(seen, RAMP[27:37, 22:42])


def test_a_checkpoint_keeps_the_formats_and_options_must_not_contradict_them(tmp_path: Path) -> None:
    write(tmp_path, RAMP, RAMP)
    known = data(tmp_path, target_window=(0, 4095)).what_models_need()
    assert PairFormats.of(known).as_dict() == known
    (tmp_path / "A" / "train").rename(tmp_path / "A" / "test")
    (tmp_path / "B" / "train").rename(tmp_path / "B" / "test")
    elsewhere = data(tmp_path)  # without a training split
    elsewhere.take_over(known)
    assert elsewhere.formats.target.range == (0, 4095)
    with pytest.raises(ValueError, match=r"data\.target_window is \(0, 9\), but the checkpoint was trained with \(0.0"):
        data(tmp_path, target_window=(0, 9)).take_over(known)
    with pytest.raises(ValueError, match=r"data\.input_channels is 3, but the checkpoint was trained with 1"):
        data(tmp_path, input_channels=3).take_over(known)


def test_a_window_cannot_be_measured_where_all_is_one_number(tmp_path: Path) -> None:
    write(tmp_path, np.ones((4, 4, 1), np.float32), np.ones((4, 4, 1), np.float32))
    with pytest.raises(DataError, match="input_window: almost all numbers of the training pictures are 1; set the"):
        data(tmp_path).dataset("train")
    assert torch.equal(
        data(tmp_path, input_window=(0, 1), target_window=(0, 1)).dataset("train")[0, 0]["input"][0, 0], torch.ones(4)
    )
