"""Names come from data: none of them leads out of the folder that is written to."""

import json
from pathlib import Path
from typing import Any

import httpx
import pyarrow as arrow
import pytest
import torch
from pyarrow import parquet

import multitask.__main__
import pix2pix.__main__
from inference import DataError
from multitask import Predictor, Segmentation
from multitask.data import Folders
from pix2pix.data import Parquet
from tests.hostile.checkpoints import tasks_checkpoint, translator_checkpoint
from tests.inference.page.running import inverting, running
from tests.inference.test_predictor import Inverter
from tests.pix2pix.callbacks.test_predictions import write
from tests.pix2pix.pictures import write_picture

OUTSIDE = ["../../x", "/tmp/x", "a/b", "..", "."]


def test_a_target_is_the_name_of_a_file() -> None:
    """Predictions are written into a folder of its name, and a checkpoint may bring any."""
    for name in [*OUTSIDE, "a\0b", "", "-x"]:
        with pytest.raises(ValueError, match=r"target must begin with a letter or digit"):
            Segmentation(3, target=name)
    assert Segmentation(3, target="labels-2.fine").target == "labels-2.fine"


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_checkpoint_writes_nothing_outside(name: str, tmp_path: Path) -> None:
    file = tasks_checkpoint(tmp_path / "in/a.ckpt")
    content = torch.load(file, weights_only=True)
    content["hyper_parameters"]["tasks"]["seg"]["init_args"]["target"] = name
    torch.save(content, file)
    with pytest.raises(ValueError, match=r"target must begin with a letter or digit"):
        Predictor(file)
    content["hyper_parameters"]["tasks"][name] = content["hyper_parameters"]["tasks"].pop("seg")
    torch.save(content, file)
    with pytest.raises(ValueError, match=r"a task's name must be of letters|target must begin"):
        Predictor(file)


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_pair_of_a_strange_name_is_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^a pair is called '.*', which is no name of a file"):
        write(tmp_path / "in", [name])
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize("name", ["x" * 240, "a b;rm -rf", "$(touch x)", "\u202egnp", "%2e%2e%2fx", "-rf"])
def test_results_stay_in_their_folder_whatever_pictures_are_called(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_picture(Path("photos", f"{name}.png"))
    before = {file for file in tmp_path.rglob("*") if file.is_file()}
    one, several = translator_checkpoint(Path("one.ckpt")), tasks_checkpoint(Path("several.ckpt"))
    pix2pix.__main__.main(["translate", str(one), "photos", "out"])
    multitask.__main__.main(["predict", str(several), "photos", "out"])
    written = {file for file in tmp_path.rglob("*") if file.is_file()} - before - {one.absolute(), several.absolute()}
    assert len(written) == 6  # the translation; labels with their colors and names; depths with their unit
    assert all(Path("out").absolute() in file.parents for file in written)


def test_a_name_that_is_too_long_for_the_result_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its result is written under another name at first, which is longer."""
    monkeypatch.chdir(tmp_path)
    write_picture(Path("photos", f"{'x' * 250}.png"))
    with pytest.raises(SystemExit, match="1 of 1 pictures could not be translated, named above"):
        pix2pix.__main__.main(["translate", str(translator_checkpoint(Path("one.ckpt"))), "photos", "out"])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("failed"))
    assert "File name too long" in line


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a\0b", "x" * 300])
def test_lists_of_pictures_only_look_names_up(name: str, tmp_path: Path) -> None:
    """What boxes.json and classes.csv list is not opened, wherever it is."""
    write_picture(tmp_path / "data/train/image/1.png")
    images: list[dict[str, Any]] = [{"id": 0, "file_name": "1.png", "width": 16, "height": 16}]
    images.append({"id": 1, "file_name": f"{name}.png", "width": 16, "height": 16})
    annotations = [{"image_id": place, "category_id": 0, "bbox": [0, 0, 8, 8]} for place in (0, 1)]
    coco = {"images": images, "annotations": annotations, "categories": [{"id": 0}]}
    (tmp_path / "data/train/boxes.json").write_text(json.dumps(coco))
    (tmp_path / "data/train/classes.csv").write_text(f"name,class\n1.png,3\n{name},4\n".replace("\0", ""))
    scenes = Folders(tmp_path / "data", "train")
    assert scenes.names == ["1"]
    scene, where = scenes.read(0)
    assert (scene["class"].item(), where) == (3, str(tmp_path / "data/train/*/1"))


def test_paths_in_parquet_files_are_not_followed(tmp_path: Path) -> None:
    picture = tmp_path / "1.png"
    write_picture(picture)
    rows = [{"bytes": picture.read_bytes(), "path": "../../etc/passwd"}, {"bytes": None, "path": str(picture)}]
    parquet.write_table(arrow.table({"a": rows, "b": rows}), tmp_path / "train.parquet")
    pairs = Parquet(tmp_path, "train")
    assert pairs.names == ["train-000000", "train-000001"]
    pairs.read(0)
    with pytest.raises(DataError, match=r"train-000001: not a picture"):
        pairs.read(1)


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/samples/../../etc/passwd", "/%00"]
)
def test_the_page_serves_no_files_but_its_own(path: str) -> None:
    with running(inverting(Inverter())) as address:
        answer = httpx.get(httpx.URL(address).copy_with(raw_path=path.encode()))
    assert (answer.status_code, "root:" in answer.text) == (404, False)
