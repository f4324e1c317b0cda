"""Every road gives the same values, and what is written is read back as data."""

import json
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from inference import DataError, Picture, open_picture, tiles, write_picture
from inference.pictures import Array, palette
from multitask import (
    Classification,
    Depth,
    Detection,
    MultiTask,
    Normals,
    Predictor,
    Segmentation,
    SmallEncoder,
    Task,
)
from multitask.data import Folders, SceneData
from multitask.data.transforms import resize_image
from tests.multitask.scenes import small_data
from tests.training.applications import quiet_trainer

NAMES = ("wall", "floor", "bed")
RANDOM = np.random.default_rng(0)


def make_tasks() -> dict[str, Task]:
    return {
        "seg": Segmentation(3, width=8, names=NAMES),
        "depth": Depth(width=8),
        "normals": Normals(width=8),
        "things": Detection(2, width=8, depth=1, names=["small", "large"]),
        "room": Classification(4, width=8),
    }


def make(tasks: dict[str, Task] | None = None) -> MultiTask:
    """A model whose predictions differ from place to place, with hundreds of detections."""
    torch.manual_seed(0)
    model = MultiTask(SmallEncoder(width=4, blocks=0), tasks or make_tasks(), channels=8)
    for weight in model.parameters():
        if weight.dim() == 4:
            nn.init.normal_(weight, std=0.2)
    return model.eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("run") / "best.ckpt"
    trainer = pl.Trainer(logger=False, accelerator="cpu", enable_checkpointing=False)
    trainer.strategy.connect(make())
    trainer.save_checkpoint(file)
    return file


def random_picture(height: int, width: int, channels: int = 3) -> Array:
    return RANDOM.integers(0, 256, (height, width, channels), dtype=np.uint8)


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert_close(found[name], value, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:You are using a custom batch sampler")
def test_every_road_gives_the_same_values(checkpoint: Path, tmp_path: Path) -> None:
    """Alone, in a batch, from every form of a picture, and by the trainer."""
    pictures = [random_picture(17, 30) for _ in range(3)]
    alone = [Predictor(checkpoint, device="cpu")(picture) for picture in pictures]
    folder = tmp_path / "test" / "image"
    folder.mkdir(parents=True)
    for file, picture in zip("012", pictures, strict=True):
        write_picture(folder / f"{file}.png", picture)
    unit = [torch.from_numpy(picture).movedim(-1, 0) / 255 for picture in pictures]
    for together in (
        Predictor(checkpoint, device="cpu", batch_size=3)(pictures),
        Predictor(checkpoint, device="cpu", batch_size=2)([folder / "0.png", str(folder / "1.png"), pictures[2]]),
        Predictor(make(), device="cpu")([Image.fromarray(picture) for picture in pictures]),
        Predictor(make(), device="cpu")([torch.from_numpy(picture).movedim(-1, 0) for picture in pictures]),
        Predictor(make(), device="cpu")(unit),
    ):
        for found, expected in zip(together, alone, strict=True):
            assert_same(found, expected)
    data = SceneData(tmp_path, Folders, batch_size=3, num_workers=0)
    batches = quiet_trainer(tmp_path).predict(MultiTask.load_from_checkpoint(checkpoint), datamodule=data)
    assert batches is not None
    for index, expected in enumerate(alone):
        assert_same({name: values[index] for name, values in batches[0].items()}, expected)


def test_a_gpu_predicts_the_same_values(
    checkpoint: Path, tmp_path: Path, gpu: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Python and from files, which are written as data and drawn."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    pictures = [random_picture(17, 30) for _ in range(3)]
    (tmp_path / "in").mkdir()
    for index, picture in enumerate(pictures):
        write_picture(tmp_path / "in" / f"{index}.png", picture)
    predictor = Predictor(checkpoint, device=str(gpu), batch_size=2)
    for found, expected in zip(predictor(pictures), Predictor(checkpoint, device="cpu")(pictures), strict=True):
        assert_same(apply_to_collection(found, Tensor, Tensor.cpu), expected)
    report = predictor.predict_files([tmp_path / "in"], tmp_path / "out")
    assert (report.written, report.failed) == (3, [])


@pytest.mark.parametrize("size", [(1, 1), (17, 301), (2, 30), (16, 24)])
def test_values_have_the_form_of_targets_at_the_size_of_the_picture(checkpoint: Path, size: tuple[int, int]) -> None:
    values = Predictor(checkpoint, device="cpu", precision="bf16")(random_picture(*size))
    assert (values["seg"].shape, values["seg"].dtype) == (size, torch.int64)
    assert (values["depth"].shape, values["depth"].dtype) == ((1, *size), torch.float32)
    assert_close(values["normals"].norm(dim=0), torch.ones(size), rtol=0, atol=0.01)
    assert values["room"].shape == ()
    boxes = values["things"]["boxes"]
    assert (boxes >= 0).all()
    assert (boxes <= torch.tensor([size[1], size[0]]).repeat(2)).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_what_is_added_to_a_picture_is_its_reflection_and_predicted_for_nobody(checkpoint: Path) -> None:
    """A picture of 18 x 30 is predicted as the one of 20 x 32 that a reflection makes of it, and cropped."""
    picture = random_picture(18, 30)
    reflected = np.pad(picture, ((0, 2), (0, 2), (0, 0)), mode="reflect")
    found, whole = Predictor(checkpoint, device="cpu")([picture, reflected])
    assert_close(found["depth"], whole["depth"][:, :18, :30])
    assert torch.equal(found["seg"], whole["seg"][:18, :30])


def test_gray_and_transparent_and_deep_pictures_become_rgb_of_8_bits(checkpoint: Path) -> None:
    predictor, gray = Predictor(checkpoint, device="cpu"), random_picture(12, 16, 1)
    expected = predictor(np.repeat(gray, 3, 2))
    opaque = np.full_like(gray, 200)
    for same in (
        gray,
        gray[..., 0],
        np.concatenate([gray, gray, gray, opaque], 2),
        gray.astype(np.uint16) * 257,
        Image.fromarray(gray[..., 0]),
    ):
        assert_same(predictor(same), expected)


def test_pictures_that_are_none_of_these_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    predictor = Predictor(checkpoint, device="cpu")
    with pytest.raises(DataError, match=r"the picture: 5 channels, where 3 are wanted"):
        predictor(random_picture(4, 4, 5))
    with pytest.raises(
        DataError, match=r"the picture: float32 from 0 to 255; divide them so that they are in \[0, 1\]"
    ):
        predictor(np.linspace(0, 255, 48, dtype=np.float32).reshape(4, 4, 3))
    with pytest.raises(DataError, match=r"absent\.png: no such file"):
        predictor(tmp_path / "absent.png")


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": {"generator": 1}}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=r"a\.ckpt: a checkpoint of another model than multitask"):
        Predictor(tmp_path / "a.ckpt")


@pytest.mark.filterwarnings("ignore:You are using a custom batch sampler")
def test_a_model_that_was_trained_on_resized_scenes_resizes_pictures(tmp_path: Path) -> None:
    model = make({"seg": Segmentation(3, width=8), "depth": Depth(width=8), "boxes": Detection(2, width=8)})
    trainer = quiet_trainer(tmp_path, max_steps=1, limit_val_batches=0)
    data = small_data(tmp_path / "data", resize=(32, 40))
    trainer.fit(model.train(), datamodule=data)
    file = tmp_path / "last.ckpt"
    trainer.save_checkpoint(file)
    picture = random_picture(16, 24)
    values = Predictor(file, device="cpu")(picture)
    assert_same(Predictor(model, device="cpu")(picture), values)
    images = resize_image(torch.from_numpy(picture).movedim(-1, 0)[None] / 255, (32, 40))
    with torch.no_grad():
        predictions = model.eval()(images)
    smooth = F.interpolate(predictions["depth"], (16, 24), mode="bilinear", align_corners=False)
    assert_close(values["depth"], smooth[0])
    assert (values["seg"].shape, values["boxes"]["boxes"].shape[1:]) == ((16, 24), (4,))
    whole = model.tasks["boxes"].decode(predictions["boxes"])[0]
    assert_close(values["boxes"]["scores"], whole["scores"])
    assert_close(values["boxes"]["boxes"], whole["boxes"] * torch.tensor([24 / 40, 0.5, 24 / 40, 0.5]))
    again = small_data(tmp_path / "data")
    batches = trainer.predict(MultiTask.load_from_checkpoint(file), datamodule=again, ckpt_path=file)
    assert batches is not None
    assert batches[0]["depth"].shape == (2, 1, 32, 40)  # without its being said again


# --- large pictures


def test_tiles_give_what_the_whole_picture_gives() -> None:
    """Also at the borders, of a size that no tile divides, and for a stride that is larger than 1."""
    tasks: dict[str, Task] = {"seg": Segmentation(3, width=8), "depth": Depth(width=8), "normals": Normals(width=8)}
    picture = random_picture(150, 203)
    whole = Predictor(make(tasks), device="cpu")(picture)
    tiled = Predictor(make(tasks), device="cpu", tile=96)
    assert tiled.geometry.margin is not None
    found = tiled(picture)
    assert_close(found["depth"], whole["depth"], rtol=1e-4, atol=1e-4)
    assert_close(found["normals"], whole["normals"], rtol=1e-3, atol=1e-3)
    assert (found["seg"] == whole["seg"]).float().mean() > 0.999  # where two classes are as likely, rounding decides
    assert found["seg"].dtype == torch.int64
    assert tiled.notes() == []


def test_tiles_that_do_not_cover_what_the_network_sees_say_so(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", random_picture(150, 150))
    predictor = Predictor(make({"depth": Depth(width=8)}), device="cpu", tile=32)
    report = predictor.predict_files([tmp_path / "a.png"], tmp_path / "out")
    assert report.written == 1
    assert "tiles of 32 x 32 that overlap by 8 do not cover what the network looks at" in report.notes[1]


def test_a_large_picture_is_refused_where_a_task_needs_it_whole(checkpoint: Path, tmp_path: Path) -> None:
    for name, side in ("large", 40), ("small", 20):
        write_picture(tmp_path / f"{name}.png", random_picture(side, side))
    report = Predictor(checkpoint, device="cpu", tile=32).predict_files([tmp_path], tmp_path / "out")
    assert report.written == 1
    (line,) = report.failed
    assert line.endswith(
        "large.png: 40 x 40 pixels are more than a tile of 32, and things, room cannot be predicted in tiles; "
        "take a smaller picture, or a larger tile"
    )


def test_without_a_tile_memory_decides(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(checkpoint, device="cpu")
    large = Picture.of(np.zeros((4, 2000, 3), np.uint8))
    assert not predictor.is_large(large)
    monkeypatch.setattr(tiles, "free_memory", lambda device: 2**20)
    assert Predictor(checkpoint, device="cpu").is_large(large)
    assert not Predictor(checkpoint, device="cpu").is_large(Picture.of(np.zeros((4, 1024, 3), np.uint8)))
    with pytest.raises(ValueError, match="tile must be at least 1; got 0"):
        Predictor(checkpoint, tile=0)


# --- files


def test_predictions_are_read_back_as_data(checkpoint: Path, tmp_path: Path) -> None:
    """Beside the folder of the pictures they are what Folders reads."""
    (tmp_path / "train" / "image").mkdir(parents=True)
    sizes = [(17, 30), (20, 12), (16, 16), (17, 30)]
    for index, size in enumerate(sizes):
        write_picture(tmp_path / "train" / "image" / f"{index}.v1.png", random_picture(*size))
    predictor = Predictor(checkpoint, device="cpu")
    report = predictor.predict_files([tmp_path / "train" / "image"], tmp_path / "train")
    assert (report.written, report.failed) == (4, [])
    scenes = Folders(tmp_path, "train")
    assert scenes.count_targets() == {"labels": 4, "depth": 4, "normals": 4, "boxes": 4, "class": 4}
    for scene, file in zip(scenes, sorted((tmp_path / "train" / "image").iterdir()), strict=True):
        values = predictor(file)
        assert torch.equal(scene["labels"].as_subclass(Tensor), values["seg"])
        assert_close(scene["depth"].as_subclass(Tensor), values["depth"].clamp(0, 65.535), rtol=0, atol=0.00051)
        assert_close(scene["normals"].as_subclass(Tensor), values["normals"], rtol=0, atol=0.01)
        assert len(values["things"]["boxes"]) > 3
        assert_close(scene["boxes"].as_subclass(Tensor), values["things"]["boxes"])
        assert torch.equal(scene["boxes_classes"], values["things"]["labels"])
        assert torch.equal(scene["class"], values["room"])


def test_the_files_say_what_they_are(checkpoint: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", random_picture(16, 24))
    predictor = Predictor(checkpoint, device="cpu")
    predictor.predict_files([tmp_path / "a.png"], tmp_path / "out")
    out, values = tmp_path / "out", predictor(tmp_path / "a.png")
    files = sorted(file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file())
    assert files == [
        "boxes.json",
        "classes.csv",
        "depth.json",
        "depth/a.png",
        "depth_preview/a.png",
        "labels.json",
        "labels/a.png",
        "normals/a.png",
    ]
    colors = (255 * palette(3)).round().int()
    labels = json.loads((out / "labels.json").read_text())
    assert labels == [{"id": n, "name": NAMES[n], "color": colors[n].tolist()} for n in range(3)]
    assert np.array_equal(open_picture(out / "labels" / "a.png").read(), colors[values["seg"]].numpy())
    assert json.loads((out / "depth.json").read_text()) == {"depth_unit": 0.001}
    drawn = Depth().draw(values["depth"][None], values["depth"][None])[0].mul(255).round().byte()
    assert np.array_equal(open_picture(out / "depth_preview" / "a.png").read(), drawn.movedim(0, -1).numpy())
    boxes = json.loads((out / "boxes.json").read_text())
    assert boxes["categories"] == [{"id": 0, "name": "small"}, {"id": 1, "name": "large"}]
    assert boxes["images"] == [{"id": 0, "file_name": "a.png", "width": 24, "height": 16}]
    assert_close([each["score"] for each in boxes["annotations"]], values["things"]["scores"].tolist())
    number = values["room"].item()
    assert (out / "classes.csv").read_text().splitlines() == ["name,class,class_name", f"a.png,{number},{number}"]
    assert predictor.describe()[:2] == [
        "seg: labels/NAME.png, labels.json",
        "depth: depth/NAME.png, depth_preview/NAME.png, depth.json",
    ]


def test_a_folder_keeps_its_structure_and_a_bad_picture_does_not_stop_the_others(
    checkpoint: Path, tmp_path: Path
) -> None:
    for name in ("a", "sub/b", "sub/c"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write_picture(tmp_path / "in" / f"{name}.png", random_picture(16, 16))
    (tmp_path / "in" / "sub" / "bad.png").write_text("no picture")
    report = Predictor(checkpoint, device="cpu").predict_files([tmp_path / "in"], tmp_path / "out")
    assert report.written == 3
    assert [line.partition(": ")[0] for line in report.failed] == [f"{tmp_path}/in/sub/bad.png"]
    assert sorted(file.name for file in (tmp_path / "out" / "sub" / "labels").iterdir()) == ["b.png", "c.png"]
    for folder, pictures in ("", ["a.png"]), ("sub", ["b.png", "c.png"]):
        listed = json.loads((tmp_path / "out" / folder / "boxes.json").read_text())["images"]
        assert [image["file_name"] for image in listed] == pictures


def test_results_that_exist_are_kept_without_overwrite(checkpoint: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", random_picture(16, 16))
    predictor, out = Predictor(checkpoint, device="cpu"), tmp_path / "out"
    predictor.predict_files([tmp_path / "a.png"], out)
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    write_picture(tmp_path / "a.png", random_picture(16, 16))
    with pytest.raises(DataError, match=r"labels\.json: exists already; choose another place, or --overwrite"):
        predictor.predict_files([tmp_path / "a.png"], out)
    for file in out.glob("*.*"):
        file.unlink()
    report = predictor.predict_files([tmp_path / "a.png"], out)
    assert report.failed[0].endswith("labels/a.png: exists already; choose another place, or --overwrite")
    assert (out / "depth" / "a.png").read_bytes() == before[out / "depth" / "a.png"]
    assert predictor.predict_files([tmp_path / "a.png"], out, overwrite=True).failed == []
    assert (out / "depth" / "a.png").read_bytes() != before[out / "depth" / "a.png"]


def test_nothing_is_written_over_a_picture_that_goes_in(checkpoint: Path, tmp_path: Path) -> None:
    """Not over its own, and not over another one's, even with overwrite."""
    (tmp_path / "labels").mkdir()
    for name in ("a", "labels/a"):
        write_picture(tmp_path / f"{name}.png", random_picture(16, 16))
    before = (tmp_path / "labels" / "a.png").read_bytes()
    with pytest.raises(DataError, match=r"labels/a\.png: a result would be written over this picture"):
        Predictor(checkpoint, device="cpu").predict_files([tmp_path], tmp_path, overwrite=True)
    assert (tmp_path / "labels" / "a.png").read_bytes() == before
    with pytest.raises(DataError, match=r"out\.png: several files are written for a picture; give a folder"):
        Predictor(checkpoint, device="cpu").predict_files([tmp_path / "a.png"], tmp_path / "out.png")


def test_what_was_predicted_before_a_stop_is_kept(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcd":
        write_picture(tmp_path / f"{name}.png", random_picture(16, 16))
    predictor, run = Predictor(checkpoint, device="cpu", batch_size=1), Predictor.run
    done: list[int] = []

    def stop_at_the_third(self: Predictor, pictures: Tensor) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(1)
        return run(self, pictures)

    monkeypatch.setattr(Predictor, "run", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        predictor.predict_files([tmp_path], tmp_path / "out")
    listed = json.loads((tmp_path / "out" / "boxes.json").read_text())["images"]
    assert [image["file_name"] for image in listed] == ["a.png", "b.png"]


def test_tasks_of_one_target_are_called_by_their_names(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", random_picture(16, 16))
    tasks: dict[str, Task] = {"fine": Segmentation(3, width=8), "coarse": Segmentation(2, width=8)}
    report = Predictor(make(tasks), device="cpu").predict_files([tmp_path / "a.png"], tmp_path / "out")
    assert report.failed == []
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "coarse",
        "coarse.json",
        "fine",
        "fine.json",
    ]


def test_a_task_of_ones_own_is_written_as_an_array(tmp_path: Path) -> None:
    class Halves(Depth):
        files, write, shared_files, write_shared = Task.files, Task.write, Task.shared_files, Task.write_shared

    write_picture(tmp_path / "a.png", random_picture(10, 16))
    predictor = Predictor(make({"own": Halves(target="own", width=8)}), device="cpu")
    predictor.predict_files([tmp_path / "a.png"], tmp_path / "out")
    assert np.array_equal(np.load(tmp_path / "out" / "own" / "a.npy"), predictor(tmp_path / "a.png")["own"].numpy())
