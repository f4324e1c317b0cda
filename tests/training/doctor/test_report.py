import json
from pathlib import Path

import numpy as np
import pytest

from inference import DataError, Picture
from training.doctor import Examined, Finding, Place, examine, report, show, tell

LONG = "a[red]b" * 10  # a name that looks like markup is printed as it is
FINDINGS = [
    Finding("warning", "pairs are gray", [Place((f"val/{LONG}",))], "color them"),
    Finding("error", "pairs are broken", [Place(("1", "2"), "left"), *(Place((each,)) for each in "345")], "mend them"),
]


def samples() -> list[Examined]:
    def read(index: int) -> dict[str, Picture]:
        if index == 1:
            raise DataError("b.png: damaged")
        kind = np.uint16 if index == 3 else np.uint8
        target = Picture.of(np.zeros((4, 5, 1), bool))
        return {"input": Picture.of(np.full((4 + index, 5, 3), index, kind)), "target": target}

    return examine("val", ["a", "b", "c", "d"], read)


def test_a_row_is_a_line_where_the_output_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(report(samples(), FINDINGS, [("train", "seg", "360", "bed: 3.5%")]))
    assert capsys.readouterr().out.splitlines() == [
        "split  what    samples  what they hold",
        "val    input         3  2 of 3 x uint8 (0 to 2), 1 of 3 x uint16 (3 to 3); 4 x 5 to 7 x 5 (height x width)",
        "val    target        3  1 x bool (0 to 0); all 4 x 5 (height x width)",
        "train  seg         360  bed: 3.5%",
        "",
        "         number  what is wrong     where" + " " * 71 + "what to do",
        "error         4  pairs are broken  1 and 2 (left), 3, 4 and 1 more" + " " * 45 + "mend them",
        f"warning       1  pairs are gray    val/{LONG}  color them",
    ]


def test_a_terminal_is_not_exceeded_and_nothing_is_cut_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    show(report(samples(), FINDINGS))
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert said.count("[red]") + said.count("a[re") >= 9
    assert "\u2026" not in said  # an ellipsis


def test_all_places_are_in_the_file_and_an_error_ends_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"^1 thing must be fixed, named above$"):
        tell(samples(), FINDINGS, str(tmp_path / "new" / "found.json"))
    found = json.loads((tmp_path / "new" / "found.json").read_text())
    assert found[1]["where"] == ["1 and 2 (left)", "3", "4", "5"]
    tell(samples(), [], None)
    assert capsys.readouterr().out.endswith("(height x width)\nnothing is wrong\n")
