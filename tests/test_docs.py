"""What the pages of docs/ say, done: every snippet prints what the comments behind its prints promise."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
SNIPPETS = [
    pytest.param(snippet, id=f"{page.stem}: {title}")
    for page in PAGES
    for title, snippet in re.findall(r"^#+ ([^\n]*)\n(?:(?!^#).)*?```python\n(.*?)```", page.read_text(), re.M | re.S)
]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_snippets(snippet: str) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(snippet, {})
    comments = re.findall(r"print\(.*\)  # (.*)$", snippet, re.MULTILINE)
    promised = [value for comment in comments for value in re.split(r", then ", comment)]
    assert printed.getvalue().splitlines() == promised


def test_every_snippet_is_found() -> None:
    assert len(SNIPPETS) == sum(page.read_text().count("```python\n") for page in PAGES) > 10


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    anchors = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.M)
    }
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        file, _, anchor = link.partition("#")
        assert not file or (page.parent / file).exists(), link
        assert not anchor or file or anchor in anchors, link
