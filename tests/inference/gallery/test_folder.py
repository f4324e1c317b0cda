import math
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

from inference import DataError
from inference.gallery import About, GalleryFolder

RED = Image.new("RGB", (8, 6), (255, 0, 0))
ABOUT = About("title", [["picture"]], {"l1": "lower"})


def test_the_page_the_table_and_the_pictures_are_written(tmp_path: Path) -> None:
    gallery = GalleryFolder(tmp_path / "out", 2)
    for name, l1 in (("a", 0.5), ("b", math.nan)):
        gallery.add(name, {"seg target": RED, "output": RED}, {"l1": l1})
    assert gallery.write(ABOUT) == tmp_path / "out" / "index.html"
    files = {str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*") if file.is_file()}
    assert files == {"index.html", "pictures.csv", *(f"{c}/{n}.png" for c in ("seg target", "output") for n in "ab")}
    assert (tmp_path / "out" / "pictures.csv").read_text().split() == ["name,l1", "a,0.5", "b,"]
    with Image.open(tmp_path / "out" / "output" / "a.png") as picture:
        assert (picture.size, picture.getpixel((0, 0))) == ((8, 6), (255, 0, 0))
    assert gallery.items[0].pictures["seg target"].link == "seg%20target/a.png"
    assert gallery.items[0].pictures["output"].size == (8, 6)


def test_names_of_any_kind_become_files_of_their_own_inside_of_the_folder(tmp_path: Path) -> None:
    names = ["../../etc/passwd", "a/b", "a:b", "A_B", "", "..", "50% #1?", "<img onerror=x>", "x" * 400, "é"]
    gallery = GalleryFolder(tmp_path / "out", len(names))
    for name in names:
        gallery.add(name, {"picture": RED}, {})
    written = [tmp_path / "out" / unquote(item.pictures["picture"].link) for item in gallery.items]
    assert sorted(written) == sorted((tmp_path / "out" / "picture").iterdir())
    assert len({str(file).lower() for file in written}) == len(names)  # also where cases are alike
    assert [item.name for item in gallery.items] == names


def test_pictures_that_are_there_are_linked_and_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "in put" / "50%.png"
    file.parent.mkdir()
    RED.save(file)
    gallery = GalleryFolder(tmp_path / "out", 1)
    gallery.add("a", {"picture": RED}, {}, {"picture": file})
    gallery.write(About("title", [["picture"]]))
    assert gallery.items[0].pictures["picture"].link == "../in%20put/50%25.png"
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["index.html"]  # no metrics: no table


def test_a_gallery_is_replaced_only_when_that_is_asked_for(tmp_path: Path) -> None:
    GalleryFolder(tmp_path, 0).write(ABOUT)
    with pytest.raises(DataError, match=r"index.html: exists already; choose another place with --out, or --overwrite"):
        GalleryFolder(tmp_path, 0)
    GalleryFolder(tmp_path, 0, overwrite=True)


def test_many_pictures_make_a_page_of_moderate_size(tmp_path: Path) -> None:
    """Each thumbnail has its share of 14 megabytes."""
    gallery = GalleryFolder(tmp_path, 10_000)
    large = Image.effect_noise((600, 600), 100)
    gallery.add("a", dict.fromkeys(("input", "output", "target", "difference"), large), {})
    assert all(len(shown.thumbnail) <= 4 / 3 * 14_000_000 / 40_000 + 50 for shown in gallery.items[0].pictures.values())
