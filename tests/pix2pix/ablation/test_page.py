from pathlib import Path

import pytest
import torch

from inference import open_picture
from pix2pix.ablation.orderings import Ordering
from pix2pix.ablation.page import Found, Page, Table, write_page

PICTURES = [torch.rand(3, 16, 16) * 2 - 1 for _ in range(4)]
FOUND = Found(
    scores={
        "a": [{"l1": 0.1, "ssim": 0.8, "kid": 0.25}, {"l1": 0.3, "ssim": 0.9, "kid": 0.25}],
        "b": [{"l1": 0.2, "ssim": 0.7, "kid": 0.5}, {"l1": 0.4, "ssim": 0.7, "kid": 0.75}],
    },
    references={"the inputs": {"kid": 1.0}},
    inputs=PICTURES,
    targets=PICTURES,
    outputs={"a": PICTURES, "b": PICTURES},
)


def test_a_page_has_tables_pictures_and_orderings(tmp_path: Path) -> None:
    tables = [Table("Both", ["b", "a"], "As in the paper."), Table("One", ["a"])]
    page = Page("Title", "What it is.\n", tables, [Ordering("a", "b", "kid")], samples=2)
    text = write_page(tmp_path / "page.md", page, FOUND, "How it was made.")
    assert (tmp_path / "page.md").read_text() == text
    assert text.startswith("# Title\n\nWhat it is.\n\nHow it was made.\n\n## Both\n\nAs in the paper.\n\n|  | L1 ↓ |")
    assert text.splitlines()[10:15] == [
        "|  | L1 ↓ | SSIM ↑ | KID ↓ |",
        "|---|---:|---:|---:|",
        "| b | 0.3000 ± 0.1414 | 0.700 ± 0.000 | 0.6250 ± 0.1768 |",
        "| a | 0.2000 ± 0.1414 | 0.850 ± 0.071 | 0.2500 ± 0.0000 |",
        "| the inputs |  |  | 1.0000 |",
    ]
    assert "![from top to bottom: input, b, a, target](page-1.png)" in text
    assert "| a over b | kid | 0.250 | 0.625 | yes | 2 of 2 |" in text
    heights = [open_picture(tmp_path / f"page-{number}.png").height for number in (1, 2)]
    assert heights == [4 * 18 + 2, 3 * 18 + 2]


def test_without_tables_all_variants_are_in_one(tmp_path: Path) -> None:
    text = write_page(tmp_path / "page.md", Page(), FOUND, "How.")
    assert "# Ablation\n\nHow.\n\n## Variants\n\n|  | L1" in text
    assert "orderings" not in text


def test_a_page_of_other_variants_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^page\.tables: One must be of a, b; got c$"):
        Page(tables=[Table("One", ["a", "c"])]).check(FOUND.scores)
    with pytest.raises(ValueError, match=r"^orderings must be of the variants a, b; got d$"):
        Page(orderings=[Ordering("d", "a", "l1")]).check(FOUND.scores)
    with pytest.raises(ValueError, match=r"^page\.samples must be at least 1; got 0$"):
        Page(samples=0).check(FOUND.scores)
