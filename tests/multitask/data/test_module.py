import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Generator

from multitask.data import DataError, Folders, Scene, SceneData
from tests.multitask.scenes import HEIGHT, SPLITS, WIDTH, small_data, write_scenes


def batches(data: SceneData, split: str = "train") -> list[dict[str, Any]]:
    return list(getattr(data, f"{split}_dataloader")())


def test_batches_are_as_documented(tmp_path: Path) -> None:
    first = batches(small_data(tmp_path / "data"))[0]
    assert first["image"].shape == (2, 3, HEIGHT, WIDTH)
    assert 0 <= first["image"].min() < first["image"].max() <= 1
    assert (first["labels"].shape, first["labels"].dtype) == ((2, HEIGHT, WIDTH), torch.int64)
    assert first["depth"].shape == (2, 1, HEIGHT, WIDTH)
    assert [boxes["boxes"].shape[1:] for boxes in first["boxes"]] == [(4,), (4,)]
    assert all("train" in name for name in first["name"])


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_no_pixel(workers: int, tmp_path: Path) -> None:
    alone, several = (batches(small_data(tmp_path / "data", num_workers=n)) for n in (0, workers))
    for a, b in zip(alone, several, strict=True):
        assert a["name"] == b["name"]
        assert torch.equal(a["image"], b["image"])
        assert torch.equal(a["depth"], b["depth"])


def test_augmentation_differs_between_epochs_and_not_in_evaluation(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data")
    training, evaluation = data.dataset("train", augment=True), data.dataset("train")
    images = [torch.stack([training[epoch, index]["image"] for index in range(10)]) for epoch in (0, 0, 1)]
    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])
    assert torch.equal(evaluation[0, 1]["image"], evaluation[1, 1]["image"])
    assert torch.equal(evaluation[0, 1]["image"], data.layout("train")[1]["image"])


def test_an_augmentation_of_ones_own(tmp_path: Path) -> None:
    def darken(scene: Scene, generator: Generator) -> Scene:
        return scene | {"image": scene["image"] * torch.rand((), generator=generator)}

    data = small_data(tmp_path / "data", augmentation=darken)
    before = torch.get_rng_state()
    dark, light = data.dataset("train", augment=True)[3, 0], data.dataset("train")[3, 0]
    assert dark["image"].mean() < light["image"].mean()
    assert torch.equal(torch.get_rng_state(), before)


def test_splits_have_names_of_their_own(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data", test_split="val")
    assert [batch["name"] for batch in batches(data, "test")] == [batch["name"] for batch in batches(data, "val")]


@pytest.mark.parametrize(
    ("stage", "missing"), [("fit", "train"), ("fit", "val"), ("test", "test"), ("predict", "test")]
)
def test_a_missing_split_is_said_before_anything_starts(stage: str, missing: str, tmp_path: Path) -> None:
    data = small_data(tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / missing)
    with pytest.raises(DataError, match=f"data.{missing}.image"):
        data.setup(stage)


def test_a_target_is_looked_for_in_all_scenes(tmp_path: Path) -> None:
    data = small_data(tmp_path / "data")
    labels = tmp_path / "data" / "train" / "labels"
    for file in sorted(labels.iterdir())[:-1]:
        file.unlink()
    data.check_targets("train", {"seg": "labels", "boxes": "boxes"})  # one scene has it
    with pytest.raises(DataError, match="task normals: none of the 10 scenes of train has normals; give some of them"):
        data.check_targets("train", {"seg": "labels", "normals": "normals"})
    (labels / "train09.png").unlink()
    Image.new("L", (WIDTH, HEIGHT), 255).save(labels / "train09.png")  # a file in which nothing is known
    data = SceneData(tmp_path / "data", Folders)
    with pytest.raises(DataError, match="task seg: none of the 10 scenes of train has labels"):
        data.check_targets("train", {"seg": "labels"})


def mixed_sizes(root: Path) -> Path:
    """Scenes of which one in two is wider."""
    write_scenes(root)
    for split in SPLITS:
        for kind in "image", "labels", "depth":
            for file in sorted((root / split / kind).iterdir())[::2]:
                picture = Image.open(file)
                picture.resize((WIDTH + 5, HEIGHT - 3), Image.Resampling.NEAREST).save(file)
    return root


@pytest.mark.parametrize(
    ("options", "size"),
    [({"resize": 8}, (8, 8)), ({"resize": (20, 30)}, (20, 30)), ({"pad": True}, (HEIGHT, WIDTH + 5))],
)
@pytest.mark.parametrize("workers", [0, 1])
def test_scenes_of_unlike_sizes_go_in_one_batch(
    options: dict[str, Any], size: tuple[int, int], workers: int, tmp_path: Path
) -> None:
    data = small_data(mixed_sizes(tmp_path / "data"), num_workers=workers, **options)
    (batch, *_) = batches(data, "val")
    assert batch["image"].shape == (2, 3, *size)
    assert batch["labels"].shape == (2, *size)
    for boxes in batch["boxes"]:
        assert (boxes["boxes"] <= torch.tensor([*size[::-1]] * 2)).all()
    with pytest.raises(DataError, match="must have one size: set the data's resize, or pad"):
        batches(small_data(tmp_path / "data"), "val")


def test_a_checkpoint_says_how_scenes_were_resized(tmp_path: Path) -> None:
    known = small_data(tmp_path / "data", resize=8).what_models_need()
    data = small_data(tmp_path / "data")
    data.take_over(known)
    assert data.dataset("test")[0, 0]["image"].shape == (3, 8, 8)
    small_data(tmp_path / "data", resize=(8, 8)).take_over(known)
    with pytest.raises(ValueError, match=r"resize is \(8, 9\), and \(8, 8\) in the checkpoint; leave it out"):
        small_data(tmp_path / "data", resize=(8, 9)).take_over(known)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        ({"num_workers": -1}, "num_workers must be at least 0; got -1"),
        ({"resize": (0, 4)}, r"resize must be at least 1; got \(0, 4\)"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        small_data(tmp_path / "data", **options)
