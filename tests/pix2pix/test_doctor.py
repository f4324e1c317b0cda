"""``pix2pix doctor`` finds each planted fault, and is silent where there is none."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from inference import Picture
from pix2pix.__main__ import main
from pix2pix.doctor import glance, module_of, of_pairs, shift_of
from tests.training.programs import PIX2PIX
from training.doctor import Examined, evenly, examine

RANDOM = np.random.default_rng(0)
SIDE = 64


def pair(seed: int) -> Image.Image:
    """Outlines of shapes beside the shapes: A is white and thin, B colorful."""
    random = np.random.default_rng(seed)
    both = [Image.new("RGB", (SIDE, SIDE), "white") for _ in range(2)]
    for _ in range(6):
        left, top = random.integers(0, 40, 2).tolist()
        box = (left, top, left + int(random.integers(8, 24)), top + int(random.integers(8, 24)))
        color = tuple(random.integers(0, 200, 3).tolist())
        for picture, fill in zip(both, (None, color), strict=True):
            ImageDraw.Draw(picture).rectangle(box, fill, "black")
    joined = Image.new("RGB", (2 * SIDE, SIDE))
    for index, picture in enumerate(both):
        joined.paste(picture, (index * SIDE, 0))
    return joined


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    seed = 0
    for split, count in ("train", 24), ("val", 4), ("test", 4):
        (tmp_path / "data" / split).mkdir(parents=True)
        for index in range(count):
            pair(seed := seed + 1).save(tmp_path / "data" / split / f"{index:02}.png")
    return tmp_path / "data"


def test_sound_pairs_are_sound(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "data", "--json", "findings.json"])
    assert capsys.readouterr().out.splitlines() == [
        "split  what    samples  what they hold",
        "train  input        24  3 x uint8 (0 to 255); all 64 x 64 (height x width)",
        "train  target       24  3 x uint8 (0 to 255); all 64 x 64 (height x width)",
        "val    input         4  3 x uint8 (0 to 255); all 64 x 64 (height x width)",
        "val    target        4  3 x uint8 (0 to 255); all 64 x 64 (height x width)",
        "test   input         4  3 x uint8 (0 to 255); all 64 x 64 (height x width)",
        "test   target        4  3 x uint8 (0 to 255); all 64 x 64 (height x width)",
        "nothing is wrong",
    ]
    assert json.loads(Path("findings.json").read_text()) == []


def edit(file: Path, box: tuple[int, int, int, int], what: Image.Image) -> None:
    picture = Image.open(file).convert("RGB")
    picture.paste(what, box)
    picture.save(file)


def test_each_planted_fault_is_found(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = data / "train"
    left, right = (0, 0, SIDE, SIDE), (SIDE, 0, 2 * SIDE, SIDE)
    damaged = (train / "00.png").read_bytes()
    (train / "00.png").write_bytes(damaged[: len(damaged) // 2])
    edit(train / "01.png", left, Image.new("RGB", (SIDE, SIDE), "gray"))
    edit(train / "02.png", left, Image.open(train / "02.png").crop(right))
    both = Image.open(train / "03.png").convert("RGB")
    edit(train / "03.png", left, both.crop(right))
    edit(train / "03.png", right, both.crop(left))
    edit(train / "04.png", right, Image.fromarray(np.roll(np.array(both.crop(right)), (3, -2), (0, 1))))
    edit(train / "04.png", left, both.crop(left))
    shutil.copy(train / "05.png", train / "05_copy.png")
    shutil.copy(train / "06.png", data / "test" / "leak.png")
    Image.open(train / "07.png").resize((2 * SIDE + 32, SIDE + 16)).save(data / "val" / "smaller.png")

    said, code = PIX2PIX.fails(capsys, "doctor", "data", "--json", "findings.json")
    assert (code, "2 things must be fixed, named above" in said) == (1, True)
    found = {each["says"]: (each["severity"], each["where"]) for each in json.loads(Path("findings.json").read_text())}
    shifted = "targets are shifted against their inputs"
    found[shifted] = (found[shifted][0], [re.sub(r"0\.[5-7]\d\)", "0.6)", place) for place in found[shifted][1]])
    (unreadable,) = found["pairs cannot be read"][1]
    assert unreadable.startswith("train/00 (")
    del found["pairs cannot be read"]
    assert found == {
        "pairs are in two splits": ("error", ["train/06 and test/leak"]),
        "pairs are there twice": ("warning", ["train/05 and train/05_copy"]),
        "pairs of two splits differ by little more than their compression or size": (
            "warning",
            ["train/07 and val/smaller"],
        ),
        "pictures of the input have one color alone": ("warning", ["train/01"]),
        "pairs have the same picture on both sides": ("warning", ["train/02"]),
        "targets are shifted against their inputs": ("warning", ["train/04 (+3 down, -2 right, confidence 0.6)"]),
        "pairs look as if their sides were exchanged": ("warning", ["train/03"]),
    }


def in_two_folders(data: Path) -> None:
    for side, start in ("A", 0), ("B", SIDE):
        for file in data.rglob("*.png"):
            target = Path("two", side, file.parent.name, file.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.open(file).crop((start, 0, start + SIDE, SIDE)).save(target)


def test_pictures_alone_other_files_and_turned_ones_are_all_named(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_two_folders(data)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned = Image.open("two/A/train/03.png")
    turned.rotate(180).save("two/A/train/03.jpg", exif=exif, quality=95)
    Path("two/A/train/03.png").unlink()
    Path("two/A/train/notes.txt").touch()
    Path("two/B/train/.DS_Store").touch()
    Path("two/B/val/00.png").rename("two/B/val/00.webp.txt")
    Path("two/B/val/01.png").rename("two/B/val/x.png")

    said, code = PIX2PIX.fails(capsys, "doctor", "two", "--json", "findings.json")
    assert (code, "1 thing must be fixed, named above" in said) == (1, True)
    found = {each["says"]: (each["severity"], each["where"]) for each in json.loads(Path("findings.json").read_text())}
    severity, alone = found.pop("pictures of val have no partner")
    assert severity == "error"
    assert [each.partition(": no picture of this name in ")[0] for each in alone] == [
        "two/A/val/00.png",
        "two/A/val/01.png",
        "two/B/val/x.png",
    ]
    assert found == {
        "files of train are no pictures": ("warning", ["two/A/train/notes.txt"]),
        "pairs have one picture that its EXIF orientation turns, and one without": ("warning", ["train/03"]),
    }


def test_the_page_shows_the_pairs_that_findings_name(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(data / "train" / "06.png", data / "test" / "leak.png")
    (data / "train" / "07.png").write_bytes(b"text")
    PIX2PIX.fails(capsys, "doctor", "data", "--html", "page")
    page = Path("page/index.html").read_text()
    for words in "pairs are in two splits: train/06 and test/leak", "pairs cannot be read (1); repair", "Doctor: data":
        assert words in page
    folders = ["input", "other input", "other target", "target"]
    assert sorted(each.name for each in Path("page").iterdir() if each.is_dir()) == folders
    (shown,), (other,) = (list(Path("page", folder).iterdir()) for folder in ("input", "other input"))
    assert shown.read_bytes() == other.read_bytes()


def test_a_glance_examines_some_pairs(data: Path) -> None:
    shutil.copy(data / "train" / "06.png", data / "train" / "06_copy.png")
    (finding,) = glance(module_of("data", None))
    assert str(finding) == "pairs are there twice: train/06 and train/06_copy; remove one of each, it counts double"
    assert list(evenly(100, 32)) == list(range(0, 100, 4))
    assert list(evenly(5, 32)) == [0, 1, 2, 3, 4]
    assert list(evenly(0, None)) == []


def test_a_configuration_and_two_folders_are_understood(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_two_folders(data)
    main(["doctor", "two"])
    assert capsys.readouterr().out.endswith("nothing is wrong\n")
    main(["doctor", "facades", "--root", "data"])
    assert capsys.readouterr().out.endswith("nothing is wrong\n")


def test_what_is_not_there_is_one_line(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said, code = PIX2PIX.fails(capsys, "doctor", "nowhere")
    assert (code, "nowhere: no such folder, and no such configuration" in said) == (1, True)
    shutil.rmtree(data / "test")
    main(["doctor", "data"])
    assert "warning       1  split cannot be used (" in capsys.readouterr().out
    shutil.rmtree(data)
    data.mkdir()
    said, code = PIX2PIX.fails(capsys, "doctor", "data")
    assert (code, "no such folder" in said) == (1, True)


def test_small_or_unlike_pictures_have_no_shift() -> None:
    arrays = {"small": ((8, 8), (8, 8)), "unlike": ((64, 64), (64, 48)), "noise": ((64, 64), (64, 64))}
    for sizes in arrays.values():
        pictures = [RANDOM.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
        named = dict(zip(("input", "target"), map(Picture.of, pictures), strict=True))
        (sample,) = examine("train", ["a"], lambda index, named=named: named)  # type: ignore[misc]
        assert shift_of(sample) is None


def test_nothing_examined_is_nothing_found() -> None:
    assert str(of_pairs([Examined("train", "a", 0, {}, "broken")])[0].where[0]) == "train/a (broken)"
