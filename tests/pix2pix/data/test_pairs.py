import gc
import os
from pathlib import Path
from types import FunctionType, ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pix2pix.data import DataError, Pairs, Parquet, SideBySide, TwoFolders
from pix2pix.data.pairs import AloneError
from tests.pix2pix.pictures import write_picture

# --- SideBySide


def test_side_by_side_splits_down_the_middle(tmp_path: Path) -> None:
    pixels = write_picture(tmp_path / "train" / "b.png", 10, 4)
    write_picture(tmp_path / "train" / "a.png", 10, 4)
    pairs = SideBySide(tmp_path, "train")
    assert pairs.names == ["a", "b"]
    assert len(pairs) == 2
    a, b = pairs.read(1)
    assert np.array_equal(a.read(), pixels[:, :5])
    assert np.array_equal(b.read(), pixels[:, 5:])


def test_side_by_side_of_an_odd_width_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "train" / "odd.png", 9, 4)
    with pytest.raises(DataError, match=r"odd\.png: 9 pixels wide, which does not split"):
        SideBySide(tmp_path, "train").read(0)


def test_one_name_with_two_endings_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "train" / "a.png")
    write_picture(tmp_path / "train" / "a.jpg")
    with pytest.raises(DataError, match=r"a\.png: the same name as a\.jpg"):
        SideBySide(tmp_path, "train")


# --- TwoFolders


def test_two_folders_pair_by_name(tmp_path: Path) -> None:
    a = write_picture(tmp_path / "A" / "val" / "1.png", seed=1)
    b = write_picture(tmp_path / "B" / "val" / "1.bmp", seed=2)
    pairs = TwoFolders(tmp_path, "val")
    assert pairs.names == ["1"]
    assert all(np.array_equal(image.read(), pixels) for image, pixels in zip(pairs.read(0), (a, b), strict=True))
    (tmp_path / "B").rename(tmp_path / "photos")
    assert TwoFolders(tmp_path, "val", folder_b="photos").names == ["1"]


@pytest.mark.parametrize(("present", "absent"), [("A", "B"), ("B", "A")])
def test_a_picture_without_a_partner_is_refused_by_name(present: str, absent: str, tmp_path: Path) -> None:
    for folder in "AB":
        write_picture(tmp_path / folder / "train" / "1.png")
    write_picture(tmp_path / present / "train" / "2.png")
    write_picture(tmp_path / present / "train" / "3.png")
    message = rf"{present}/train/2\.png: no picture of this name in .*{absent}/train; add it, .* one; 1 more like it$"
    with pytest.raises(DataError, match=message):
        TwoFolders(tmp_path, "train")
    (tmp_path / absent / "train" / "2.gif").touch()
    with pytest.raises(DataError, match=r"train; 2\.gif there is not a picture of \.png \.jpg .*; 1 more like it$"):
        TwoFolders(tmp_path, "train")


def test_names_are_one_whether_an_accent_is_a_character_of_its_own_and_case_is_told(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    write_picture(tmp_path / "A" / "train" / f"{composed}.png")
    write_picture(tmp_path / "B" / "train" / f"{decomposed}.PNG")
    assert TwoFolders(tmp_path, "train").names == [composed]
    write_picture(tmp_path / "A" / "train" / f"{decomposed}.png")
    with pytest.raises(DataError, match=r"the same name as"):
        TwoFolders(tmp_path, "train")
    (tmp_path / "A" / "train" / f"{decomposed}.png").rename(tmp_path / "A" / "train" / "House.png")
    write_picture(tmp_path / "B" / "train" / "house.png")
    with pytest.raises(AloneError, match=r"House.png: .*; house.png there is written otherwise, give") as error:
        TwoFolders(tmp_path, "train")
    assert len(error.value.alone) == 2


def test_sizes_that_differ_are_refused_with_both(tmp_path: Path) -> None:
    write_picture(tmp_path / "A" / "train" / "1.png", 16, 16)
    write_picture(tmp_path / "B" / "train" / "1.png", 16, 8)
    with pytest.raises(DataError, match=r"A/train/1\.png: 16 x 16 pixels, not the same 16 x 8 as .*B/train/1\.png"):
        TwoFolders(tmp_path, "train").read(0)


# --- Many pairs


def objects_of(value: object) -> int:
    """Count the objects that something holds, classes and functions left out."""
    seen: dict[int, object] = {}
    left = [value]
    while left:
        each = left.pop()
        if id(each) not in seen and not isinstance(each, type | ModuleType | FunctionType):
            seen[id(each)] = each
            left += gc.get_referents(each)
    return len(seen)


@pytest.mark.parametrize("layout", [SideBySide, TwoFolders])
def test_many_pairs_are_no_more_objects_and_no_file_is_looked_at(
    layout: type[Pairs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that reads an object writes its count of references, and so copies its page."""
    for split, count in ("train", 10), ("val", 300):
        for folder in split, f"A/{split}", f"B/{split}":
            (tmp_path / folder).mkdir(parents=True)
            for index in range(count):
                (tmp_path / folder / f"{index:03}.png").touch()
    few = objects_of(layout(tmp_path, "train"))
    looked: list[object] = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda file, **options: looked.append(file) or stat(file, **options))
    pairs = layout(tmp_path, "val")
    monkeypatch.undo()
    assert objects_of(pairs) == few
    assert len(looked) <= 2  # the folders
    assert list(pairs.names) == [f"{index:03}" for index in range(300)]


# --- Parquet


def encoded(file: Path) -> dict[str, object]:
    return {"bytes": file.read_bytes(), "path": file.name}


def test_parquet_as_hugging_face_writes_it(tmp_path: Path) -> None:
    pixels = [write_picture(tmp_path / f"{index}.png", seed=index) for index in range(4)]
    files = [encoded(tmp_path / f"{index}.png") for index in range(4)]
    folder = tmp_path / "set" / "data"
    folder.mkdir(parents=True)
    for shard, rows in enumerate((files[:2], files[2:])):
        table = pa.table({"id": [shard], "imageA": [rows[0]], "imageB": [rows[1]]})
        pq.write_table(table, folder / f"train-0000{shard}-of-00002.parquet")
    pairs = Parquet(tmp_path / "set", "train")
    assert pairs.names == ["train-000000", "train-000001"]
    a, b = pairs.read(1)
    assert np.array_equal(a.read(), pixels[2])
    assert np.array_equal(b.read(), pixels[3])
    assert np.array_equal(Parquet(tmp_path / "set", "train", "imageB", "imageA").read(1)[0].read(), pixels[3])
    assert np.array_equal(Parquet(tmp_path / "set", "train", column_b="imageA").read(1)[0].read(), pixels[3])


def test_parquet_of_plain_bytes(tmp_path: Path) -> None:
    pixels = write_picture(tmp_path / "1.png")
    content = (tmp_path / "1.png").read_bytes()
    pq.write_table(pa.table({"x": [content], "y": [content]}), tmp_path / "test.parquet")
    assert np.array_equal(Parquet(tmp_path, "test").read(0)[0].read(), pixels)


def test_bad_parquet_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file train\.parquet or train-\*\.parquet"):
        Parquet(tmp_path, "train")
    (tmp_path / "train.parquet").write_text("no parquet")
    with pytest.raises(DataError, match=r"train\.parquet: damaged or no parquet file"):
        Parquet(tmp_path, "train")
    pq.write_table(pa.table({"image": [b"x"], "caption": ["y"]}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match="two columns of pictures are needed; its columns are image, caption"):
        Parquet(tmp_path, "train")
    with pytest.raises(DataError, match="no pictures in a column 'caption'"):
        Parquet(tmp_path, "train", column_a="caption")
    pq.write_table(pa.table({"a": [b"x"], "b": [b"y"]}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match="train-000000: not a picture"):
        Parquet(tmp_path, "train").read(0)
    pq.write_table(
        pa.table({"a": pa.array([], pa.binary()), "b": pa.array([], pa.binary())}), tmp_path / "train.parquet"
    )
    with pytest.raises(DataError, match="no rows"):
        Parquet(tmp_path, "train")


def test_parquet_sizes_that_differ_are_refused(tmp_path: Path) -> None:
    column = {}
    for name, width in {"a": 16, "b": 8}.items():
        write_picture(tmp_path / f"{name}.png", width)
        column[name] = [encoded(tmp_path / f"{name}.png")]
    pq.write_table(pa.table(column), tmp_path / "train.parquet")
    with pytest.raises(DataError, match="train-000000: A has 16 x 16 pixels, not the same 8 x 16 as B"):
        Parquet(tmp_path, "train").read(0)
