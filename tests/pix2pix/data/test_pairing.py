from pathlib import Path

import numpy as np
import pytest

from inference import open_picture
from pix2pix.data import DataError, SideBySide
from pix2pix.data.pairing import pair
from tests.pix2pix.pictures import write_picture


def test_pairs_are_written_and_what_is_skipped_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, out = (tmp_path / name for name in ("photos", "labels", "out"))
    left = write_picture(a / "train" / "1.png", 6, 4, seed=1)
    right = write_picture(b / "train" / "1.bmp", 6, 4, seed=2)
    write_picture(a / "train" / "alone.png")
    write_picture(b / "val" / "lonely.png")
    write_picture(a / "size.png", 8, 8)
    write_picture(b / "size.png", 8, 6)
    write_picture(a / "twice.png")
    write_picture(a / "twice.jpg")
    write_picture(b / "twice.png")
    (a / "bad.png").write_text("no picture")
    write_picture(b / "bad.png")
    pair(str(a), str(b), str(out))

    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"1 pairs written to {out}, 5 skipped"
    reasons = {line.split(":")[0].removeprefix("skipped "): line.partition(": ")[2] for line in said[:-1]}
    assert reasons["train/alone"] == f"no picture of this name in {b}"
    assert reasons["val/lonely"] == f"no picture of this name in {a}"
    assert reasons["size"] == "A has 8 x 8 pixels, not the same 8 x 6 as B"
    assert reasons["twice"].startswith(f"2 pictures of this name in {a}: twice.jpg, twice.png")
    assert "not a picture" in reasons["bad"]

    read = [picture.read() for picture in SideBySide(out, "train").read(0)]
    assert np.array_equal(read[0], left)
    assert np.array_equal(read[1], right)


def test_existing_files_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in "AB":
        write_picture(tmp_path / folder / "1.png")
        write_picture(tmp_path / folder / "2.png")
    kept = write_picture(tmp_path / "out" / "1.png", 3, 3)
    pair(*(str(tmp_path / folder) for folder in ("A", "B", "out")))
    assert "skipped 1: " in capsys.readouterr().out
    assert np.array_equal(open_picture(tmp_path / "out" / "1.png").read(), kept)
    assert (tmp_path / "out" / "2.png").exists()


@pytest.mark.parametrize(
    ("mode_a", "mode_b", "channels"), [("L", "L", 1), ("RGBA", "RGBA", 4), ("L", "RGB", 3), ("RGB", "RGBA", 4)]
)
def test_channels_are_kept(mode_a: str, mode_b: str, channels: int, tmp_path: Path) -> None:
    write_picture(tmp_path / "A" / "1.png", mode=mode_a)
    write_picture(tmp_path / "B" / "1.png", mode=mode_b)
    pair(*(str(tmp_path / folder) for folder in ("A", "B", "out")))
    assert open_picture(tmp_path / "out" / "1.png").channels == channels


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    write_picture(tmp_path / "A" / "1.png")
    write_picture(tmp_path / "B" / "2.png")
    with pytest.raises(DataError, match="out: nothing written, all 2 names were skipped"):
        pair(*(str(tmp_path / folder) for folder in ("A", "B", "out")))
    with pytest.raises(DataError, match="C: no such folder"):
        pair(str(tmp_path / "C"), str(tmp_path / "B"), str(tmp_path / "out"))
    (tmp_path / "D").mkdir()
    with pytest.raises(DataError, match="D: no pictures in or below this folder"):
        pair(str(tmp_path / "A"), str(tmp_path / "D"), str(tmp_path / "out"))
