"""``multitask doctor`` finds each planted fault, and is silent where there is none."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from multitask.__main__ import main
from multitask.data import SceneData
from multitask.data.scenes import Scene, Scenes
from multitask.doctor import Examination
from tests.training.programs import MULTITASK, read_config, write_config


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MULTITASK.enter(tmp_path, monkeypatch)


def findings() -> dict[str, tuple[str, list[str]]]:
    return {each["says"]: (each["severity"], each["where"]) for each in json.loads(Path("found.json").read_text())}


def test_sound_scenes_are_sound(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "small.yaml", "--json", "found.json"])
    assert capsys.readouterr().out.splitlines() == [
        "split  what   samples  what they hold",
        "train  image       10  3 x float32 (0 to 1); all 16 x 24 (height x width)",
        "val    image        3  3 x float32 (0 to 1); all 16 x 24 (height x width)",
        "test   image        3  3 x float32 (0 to 1); all 16 x 24 (height x width)",
        "train  seg         10  0: 35.1%, 1: 33.7%, 2: 31.2%",
        "train  depth       10  mean 3.017",
        "train  boxes       10  10 boxes; 0: 7, 1: 3",
        "nothing is wrong",
    ]
    assert findings() == {}


def test_each_planted_fault_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    train = Path("data/train")
    Image.fromarray(np.full((16, 24), 7, np.uint8)).save(train / "labels" / "train00.png")  # of classes 0 to 2
    boxes = json.loads((train / "boxes.json").read_text())
    boxes["annotations"][1]["bbox"] = [20, 2, 8, 6]  # beyond the right
    for annotation in boxes["annotations"]:
        annotation["category_id"] = 0
    (train / "boxes.json").write_text(json.dumps(boxes))
    (train / "image" / "train02.png").write_bytes(b"text")
    Image.new("RGB", (24, 16), "gray").save(train / "image" / "train03.png")
    shutil.copy(train / "image" / "train04.png", "data/test/image/test00.png")
    shutil.rmtree("data/val/depth")

    said, code = MULTITASK.fails(capsys, "doctor", "small.yaml", "--json", "found.json")
    assert (code, "3 things must be fixed, named above" in said) == (1, True)
    found = findings()
    severity, broken = found.pop("scenes cannot be read or do not fit the tasks")
    assert severity == "error"
    assert [each.partition(" (")[0] for each in broken] == ["train/train00", "train/1", "train/2"]
    for message, expected in zip(broken, ("classes from 0 to 2", "boxes must have", "train02.png"), strict=True):
        assert expected in message
    assert found == {
        "scenes are in two splits": ("error", ["train/train04 and test/test00"]),
        "tasks have no target in a split": ("error", ["depth in val"]),
        "pictures have one color alone": ("warning", ["train/train03"]),
        "classes are in no training scene": ("warning", ["boxes: 1"]),
    }


def test_the_page_and_a_glance_show_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy("data/train/image/train04.png", "data/train/image/train05.png")
    main(["doctor", "small.yaml", "--html", "page"])
    assert "page: page/index.html" in capsys.readouterr().out
    assert "scenes are there twice: train/train04 and train/train05" in Path("page/index.html").read_text()
    assert sorted(each.name for each in Path("page").iterdir() if each.is_dir()) == ["image", "other image"]

    main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    said = capsys.readouterr().out
    assert "warning: scenes are there twice: train/train04 and train/train05; remove one of each" in said
    run = next(line.removeprefix("run: ") for line in said.splitlines() if line.startswith("run: "))
    assert f"examine all with: python -m multitask doctor {run}\n" in said
    main(["fit", "--ckpt_path", f"{run}/checkpoints/last.ckpt", "--config", "small.yaml", "--trainer.max_epochs", "2"])
    assert "there twice" not in capsys.readouterr().out


class Broken(Scenes):
    """Two scenes of a layout of one's own; one holds a number that is none."""

    def __init__(self, root: Path, split: str) -> None:
        pass

    def __len__(self) -> int:
        return 2

    def read(self, index: int) -> tuple[Scene, str]:
        image = torch.rand(3, 8, 8)
        image[0, 0, 0] = torch.nan if index else 0
        return {"image": tv_tensors.Image(image)}, f"mine/scene{index}"


def test_numbers_that_are_none_are_found() -> None:
    first, second = Examination(SceneData("mine", Broken), {}).of("train")
    assert (str(first), first.error) == ("train/scene0", None)
    assert (str(second), second.error) == ("train/scene1", "mine/scene1: image holds NaN or infinite values")


def test_what_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    said, code = MULTITASK.fails(capsys, "doctor", "nowhere")
    assert (code, "nowhere: no such run, and no such configuration" in said) == (1, True)
    config = read_config()
    del config["model"]["tasks"]
    write_config(config)
    said, code = MULTITASK.fails(capsys, "doctor", "small.yaml")
    assert (code, "small.yaml: no tasks in it" in said) == (1, True)
    shutil.rmtree("data")
    write_config(MULTITASK.config(Path("data")))
    said, code = MULTITASK.fails(capsys, "doctor", "small.yaml")
    assert (code, "split cannot be used" in said) == (1, True)
