"""The page in a browser, from a file, as its reader opens it."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import ConsoleMessage, Page, expect

from inference.gallery import About, GalleryFolder, Item, Shown
from inference.gallery.page import render
from inference.gallery.thumbnails import data_uri, thumbnail

COLUMNS = ["input", "output", "target"]
L1 = {"pair 2": 0.02, "pair 10": 0.3, "pair 1": 0.1, "nothing": math.nan, "copy": 0.0}
PSNR = {"pair 2": 30.0, "pair 10": 10.0, "pair 1": 20.0, "nothing": math.nan, "copy": math.inf}
EVIL = "<img src=x onerror=\"document.title='hacked'\">.png"
ABOUT = About(
    "A run & <b>more</b>",
    [COLUMNS],
    {"l1": "lower", "psnr": "higher"},
    facts=["5 samples"],
    notes={"target": "what it should be"},
    legend={"wall": (1.0, 0.5, 0.0)},
    curves=data_uri(b"no picture", "image/png"),
    configuration="name: </script><script>document.title='hacked'</script>",
    command="python -m pix2pix gallery RUN",
)


@pytest.fixture
def said(page: Page) -> Iterator[list[str]]:
    """What the page says on the console, and every address that it asks for."""
    messages: list[str] = []

    def keep(message: ConsoleMessage) -> None:
        messages.append(message.text)

    page.on("console", keep)
    page.on("request", lambda request: messages.append(request.url) if request.url.startswith("http") else None)
    yield messages
    assert not messages


@pytest.fixture
def opened(page: Page, said: list[str], tmp_path: Path) -> Page:
    gallery = GalleryFolder(tmp_path / "a folder #1", len(L1))
    for shade, (name, l1) in enumerate(L1.items()):
        pictures = {
            column: Image.new("RGB", (40, 30), (40 * shade, 80 * place, 0)) for place, column in enumerate(COLUMNS)
        }
        if name == "copy":
            del pictures["input"]
        gallery.add(name, pictures, {"l1": l1, "psnr": PSNR[name]})
    page.goto(gallery.write(ABOUT).as_uri())
    return page


def names(page: Page) -> list[str]:
    return page.locator(".item:not([hidden]) h2").all_text_contents()


def header(page: Page, name: str) -> tuple[str | None, str]:
    """Whether the page is sorted by a column, and what its button says."""
    cell = page.get_by_role("columnheader").filter(has=page.get_by_role("button", name=name))
    return cell.get_attribute("aria-sort"), cell.inner_text().replace("\n", " ")


def test_it_is_sorted_by_each_column_both_ways_and_the_worst_come_first(opened: Page) -> None:
    by_l1 = ["pair 10", "pair 1", "pair 2", "copy"]
    assert names(opened) == [*by_l1, "nothing"]
    assert header(opened, "l1") == ("descending", "l1 ↓ worst first, median 0.06")
    opened.get_by_role("button", name="l1").click()
    assert names(opened) == [*by_l1[::-1], "nothing"]  # what was not measured stays at the end
    assert header(opened, "l1") == ("ascending", "l1 ↑ best first, median 0.06")
    opened.get_by_role("button", name="psnr").click()
    assert names(opened) == ["pair 10", "pair 1", "pair 2", "copy", "nothing"]  # an exact copy is infinitely good
    assert header(opened, "psnr") == ("ascending", "psnr ↑ worst first, median 25")
    assert header(opened, "l1") == (None, "l1 median 0.06")
    opened.get_by_role("button", name="psnr").click()
    assert names(opened) == ["copy", "pair 2", "pair 1", "pair 10", "nothing"]
    opened.get_by_role("button", name="name").click()
    assert names(opened) == ["copy", "nothing", "pair 1", "pair 2", "pair 10"]  # as people count
    opened.get_by_role("button", name="name").click()
    assert names(opened) == ["pair 10", "pair 2", "pair 1", "nothing", "copy"]


def test_what_a_card_says(opened: Page) -> None:
    cards = opened.locator(".item")
    texts = [cards.nth(number).locator(".metrics :is(dt, dd)").all_text_contents() for number in (3, 4)]
    assert texts == [["l1", "0", "psnr", "∞"], ["l1", "\u2013", "psnr", "\u2013"]]
    expect(cards.first.get_by_role("img")).to_have_count(3)
    assert cards.first.get_by_role("img").nth(1).get_attribute("alt") == "output of pair 10"
    assert cards.nth(3).get_by_role("img").first.get_attribute("alt") == "output of copy"  # its input is missing


def test_names_are_filtered(opened: Page) -> None:
    opened.get_by_role("searchbox").fill("PAIR 1")
    assert names(opened) == ["pair 10", "pair 1"]
    assert opened.locator("#count").inner_text() == "2 of 5"
    assert header(opened, "l1")[1] == "l1 ↓ worst first, median 0.2"  # of what is shown
    opened.get_by_role("searchbox").fill("absent")
    assert names(opened) == []
    expect(opened.get_by_text("No name contains that.")).to_be_visible()
    opened.get_by_role("searchbox").fill("")
    assert len(names(opened)) == 5
    expect(opened.get_by_text("No name contains that.")).to_be_hidden()


def viewed(page: Page) -> tuple[str, str, list[str]]:
    pictures = page.locator("dialog img")
    for picture in pictures.all():
        expect(picture).to_have_js_property("complete", True)
    shown = [str(each.get_attribute("alt")) for each in pictures.all()]
    return page.locator("#viewer-name").inner_text(), page.locator("#viewer-place").inner_text(), shown


def test_one_is_opened_and_the_keys_go_through_them(opened: Page) -> None:
    """In the order of the page, without those that are filtered out."""
    opened.get_by_role("searchbox").fill("pair")
    opened.get_by_role("button", name="output of pair 1", exact=False).last.click()
    assert viewed(opened) == ("pair 1", "2 of 3", [f"{column} of pair 1" for column in COLUMNS])
    assert "l1 0.1" in opened.locator("#viewer-metrics").inner_text().replace("\n", " ")
    opened.keyboard.press("ArrowRight")
    assert viewed(opened)[:2] == ("pair 2", "3 of 3")
    expect(opened.get_by_role("button", name="next picture")).to_have_attribute("aria-disabled", "true")
    opened.keyboard.press("ArrowRight")
    assert viewed(opened)[:2] == ("pair 2", "3 of 3")
    for _ in range(2):
        opened.keyboard.press("ArrowLeft")
    assert viewed(opened)[:2] == ("pair 10", "1 of 3")
    opened.get_by_role("button", name="next picture").click()
    opened.keyboard.press("Escape")
    expect(opened.locator("dialog")).to_be_hidden()
    focused = opened.evaluate("document.activeElement.closest('.item').querySelector('h2').textContent")
    assert focused == "pair 1"  # the reader goes on where they were


def test_one_column_alone_is_larger_and_stays_while_the_keys_go_on(opened: Page) -> None:
    opened.locator(".strip button").first.click()
    side_by_side = opened.locator("dialog img").first.bounding_box()
    opened.keyboard.press("3")
    assert viewed(opened)[2] == ["target of pair 10"]
    alone = opened.locator("dialog img").bounding_box()
    assert side_by_side is not None and alone is not None
    assert alone["width"] > 1.5 * side_by_side["width"]
    opened.keyboard.press("ArrowRight")
    assert viewed(opened)[2] == ["target of pair 1"]
    opened.keyboard.press("9")  # there are three
    opened.keyboard.press("0")
    assert len(viewed(opened)[2]) == 3
    opened.locator("dialog figure button").nth(1).click()
    assert viewed(opened)[2] == ["output of pair 1"]
    opened.locator("dialog figure button").click()
    assert len(viewed(opened)[2]) == 3


def test_the_full_pictures_are_shown_and_linked_and_thumbnails_where_they_are_gone(
    opened: Page, said: list[str], tmp_path: Path
) -> None:
    """A page that was moved alone still shows something."""
    opened.locator(".strip button").first.click()
    viewed(opened)
    full = opened.locator("dialog img").first
    assert full.evaluate("image => image.currentSrc").endswith("/input/pair%2010.png")
    assert full.evaluate("image => image.naturalWidth") == 40
    assert opened.locator("dialog a").first.get_attribute("href") == "input/pair%2010.png"
    for file in (tmp_path / "a folder #1" / "input").iterdir():
        file.unlink()
    opened.keyboard.press("ArrowRight")
    expect(opened.locator("dialog img").first).to_have_attribute("src", re.compile("^data:image/webp"))
    assert said == ["Failed to load resource: net::ERR_FILE_NOT_FOUND"]
    said.clear()


def test_what_the_page_says_beside_its_pictures_is_text(opened: Page) -> None:
    expect(opened).to_have_title("A run & <b>more</b>")
    assert opened.locator("h1").inner_text() == "A run & <b>more</b>"
    assert opened.locator("#facts li").all_text_contents() == ["5 samples", "target: what it should be"]
    for summary in ("legend", "curves", "configuration", "command"):
        opened.get_by_text(summary, exact=True).click()
    assert opened.locator("pre").first.inner_text() == ABOUT.configuration
    assert opened.locator("pre").last.inner_text() == ABOUT.command
    assert opened.locator(".legend").inner_text() == "wall"
    assert opened.locator(".legend span").evaluate("each => each.style.background") == "rgb(255, 128, 0)"


def test_names_cannot_do_anything(page: Page, said: list[str], tmp_path: Path) -> None:
    evil = [EVIL, "</script><script>document.title='hacked'</script>", "&lt;b&gt;", "\u2028 <!-- <script>"]
    gallery = GalleryFolder(tmp_path, len(evil))
    for name in evil:
        gallery.add(name, {"picture": Image.new("RGB", (4, 4))}, {})
    page.goto(gallery.write(About(EVIL, [["picture"]], notes={"picture": EVIL})).as_uri())
    assert sorted(names(page)) == sorted(evil)
    for item in page.locator(".strip button").all():
        item.click()
        viewed(page)
        page.keyboard.press("Escape")
    expect(page).to_have_title(EVIL)
    assert page.locator("img:not([alt])").count() == page.locator("script").count() - 2 == 0


def test_a_thousand_are_usable(page: Page, said: list[str], tmp_path: Path) -> None:
    """Four pictures each; those out of sight wait, and the file stays below twenty megabytes."""
    columns = [*COLUMNS, "difference"]
    uri = thumbnail(Image.effect_noise((256, 256), 60), 14_000_000 // 4000)
    shown = dict.fromkeys(columns, Shown(uri, "full.png", (256, 256)))
    Image.new("RGB", (256, 256)).save(tmp_path / "full.png")
    metrics = {"l1": "lower", "psnr": "higher"}
    items = [Item(f"pair {n}", shown, {"l1": (n * 7919 % 1000) / 1000, "psnr": 20.0}) for n in range(1000)]
    file = tmp_path / "index.html"
    file.write_text(render(About("many", [columns], metrics), items), encoding="utf-8")  # type: ignore[arg-type]
    assert 10_000_000 < file.stat().st_size < 20_000_000
    page.goto(file.as_uri())
    assert len(names(page)) == 1000
    expect(page.locator(".item img").first).to_have_js_property("complete", True)
    loaded = page.locator(".item img[src]").count()
    assert 4 <= loaded < 400
    page.locator("#head").get_by_role("button", name="l1").click()
    expect(page.locator(".item h2").first).to_have_text("pair 0")
    page.locator(".item").last.scroll_into_view_if_needed()
    expect(page.locator(".item").last.locator("img[src]")).to_have_count(4)
    page.get_by_role("searchbox").fill("99")
    assert len(names(page)) == sum("99" in str(n) for n in range(1000))
    page.locator(".item:not([hidden]) .strip button").first.click()
    page.keyboard.press("ArrowRight")
    assert page.locator("#viewer-place").inner_text() == "2 of 19"


@pytest.mark.parametrize("width", [1280, 390])
def test_pictures_fit_the_window_and_lines_keep_their_order(
    page: Page, said: list[str], tmp_path: Path, width: int
) -> None:
    """An image and two tasks, targets above predictions; on a narrow screen each task is a line when it is opened."""
    page.set_viewport_size({"width": width, "height": 800})
    columns = ["image", "seg target", "seg predicted", "depth target", "depth predicted"]
    gallery = GalleryFolder(tmp_path, 1)
    gallery.add("a", {column: Image.new("RGB", (60, 60)) for column in columns}, {})
    lines = [["image", "seg target", "depth target"], [None, "seg predicted", "depth predicted"]]
    page.goto(gallery.write(About("tasks", lines)).as_uri())
    assert page.locator(".strip > *").evaluate_all("each => each.map(cell => cell.innerText.trim())") == [
        *("image", "seg target", "depth target"),
        *("", "seg predicted", "depth predicted"),
    ]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".strip button").first.click()
    viewed(page)
    boxes = [each.bounding_box() for each in page.locator("dialog img").all()]
    assert all(box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    assert all(box is not None and box["y"] + box["height"] <= 800 for box in boxes)
    figures = page.locator("#figures > *").evaluate_all(
        "each => each.map(cell => cell.querySelector('img')?.alt ?? '')"
    )
    turned = ["image", "", "seg target", "seg predicted", "depth target", "depth predicted"]
    flat = ["image", "seg target", "depth target", "", "seg predicted", "depth predicted"]
    assert [title.removesuffix(" of a") for title in figures] == (flat if width == 1280 else turned)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(opened: Page, scheme: str) -> None:
    """Contrast of at least 4.5, as WCAG wants it."""
    opened.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # no color on its way
    opened.locator("summary").first.wait_for()
    for selector in (
        "h1",
        "#facts li",
        "summary",
        ".sort small",
        ".item h2",
        ".strip span",
        ".metrics dt",
        ".sorted dd",
    ):
        colors = opened.locator(selector).first.evaluate(
            """element => {
                let ground = element;
                while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
                return [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
            }"""
        )
        light = sorted(luminance(color) for color in colors)
        assert (light[1] + 0.05) / (light[0] + 0.05) >= 4.5, selector


def luminance(color: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_it_is_one_file_that_asks_for_nothing() -> None:
    page = render(ABOUT, [])
    assert not re.search(
        r"""(?:src|href)\s*=|url\(|@import|https?://""", re.sub(r"<script.*?</script>", "", page, flags=re.S)
    )
    assert "default-src 'none'" in page
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert json.loads(data)["configuration"] == ABOUT.configuration
    assert page.count("<script") == page.count("</script>") == 2
