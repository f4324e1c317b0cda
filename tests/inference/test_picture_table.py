import csv
import math
from pathlib import Path

from inference.picture_table import short_names, write_picture_table


def test_a_row_for_each_picture_that_a_spreadsheet_reads(tmp_path: Path) -> None:
    names = ['a "quoted", name', "öhm\nöhm", "c"]
    write_picture_table(
        tmp_path / "pictures.csv", names, {"l1": [0.125, 1 / 3, 2.0], "psnr": [math.inf, 20.0, math.nan]}
    )
    with (tmp_path / "pictures.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    assert rows == [
        ["name", "l1", "psnr"],
        [names[0], "0.125", "inf"],
        [names[1], "0.3333333", "20"],
        [names[2], "2", ""],
    ]
    assert float(rows[1][2]) == math.inf


def test_short_names_are_those_below_the_common_folder() -> None:
    assert short_names(["/data/test/*/a1", "/data/test/*/a2"]) == ["a1", "a2"]
    assert short_names(["cats/1", "dogs/1"]) == ["cats/1", "dogs/1"]
    assert short_names(["rooms/kitchen"]) == ["kitchen"]
    assert short_names(["a", "ab"]) == ["a", "ab"]
