"""Whatever is wrong, a command says it in one line; docs/errors.md lists what.

``python -m tests.errors`` makes the page again.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.errors.page import INTRODUCTION, PAGE, ROWS, line_of, page_of
from tests.errors.row import Row
from tests.training.programs import SILENCED

REMEDY = re.compile(  # what to do, or what there is to choose from
    r"\b(add|choose|convert|correct|cut|expected|give|leave|lower|make|must|named above|needs?|put|raise|remove|rename|"
    r"replace|save|set|take|wanted|write|is no|are needed|available|there (is|are) no)\b|no such (file|folder)|"
    r"--help names",
    re.IGNORECASE,
)
LONGEST = 420  # letters of a line

pytestmark = [*SILENCED, pytest.mark.filterwarnings("ignore:.*does not have many workers")]
lines: dict[Row, str] = {}  # of the page, as they are made


@pytest.fixture(autouse=True)
def _deterministic_no_longer() -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_one_line_says_what_is_wrong(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said, code = row.run(tmp_path, monkeypatch, capsys)
    lines[row] = line_of(row, said, code)
    assert row.names in said
    assert REMEDY.search(said), said
    assert str(tmp_path) not in said, "a file is called as the command calls it"
    assert "\n" not in said and len(said) < LONGEST
    assert not re.search(r"Traceback|<class|typing\.|Namespace\(|Error:", said), said
    assert code == row.code
    if "WRITE_ERRORS" not in os.environ:
        assert lines[row] in PAGE.read_text(), "python -m tests.errors makes the page again"


def test_the_page_has_these_rows_and_no_others() -> None:
    assert len(ROWS) == len({(row.wrong, row.command) for row in ROWS}) >= 120
    if "WRITE_ERRORS" in os.environ:
        PAGE.write_text(page_of(lines))
    page = PAGE.read_text()
    assert re.findall(r"^\| (.*?) \| `(.*?)` \|", page, re.MULTILINE) == [(row.wrong, row.command) for row in ROWS]
    assert page.startswith(INTRODUCTION)
