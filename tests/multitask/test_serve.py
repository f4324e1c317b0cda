"""The page of several tasks: each drawn over HTTP, and all of them in a browser."""

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import lightning.pytorch as pl
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from inference.pictures import Array, to_picture
from multitask import Classification, Depth, Detection, MultiTask, Normals, Predictor, Segmentation, SmallEncoder
from multitask.__main__ import COMMANDS
from multitask.serve import service_of
from tests.inference.page.running import error_of, pixels, png, running

NAMES = ("wall", "floor", "bed")
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tasks = {
        "seg": Segmentation(3, width=8, names=NAMES),
        "depth": Depth(width=8),
        "normals": Normals(width=8),
        "things": Detection(2, width=8, depth=1, names=["small", "large"]),
        "room": Classification(4, width=8),
    }
    file = tmp_path_factory.mktemp("run") / "best.ckpt"
    trainer = pl.Trainer(logger=False, accelerator="cpu", enable_checkpointing=False)
    trainer.strategy.connect(MultiTask(SmallEncoder(width=4, blocks=0), dict(tasks), channels=8))
    trainer.save_checkpoint(file)
    return file


@pytest.fixture(scope="module")
def predictor(checkpoint: Path) -> Predictor:
    return Predictor(checkpoint, device="cpu", tile=64)


@pytest.fixture(scope="module")
def url(checkpoint: Path, predictor: Predictor) -> Iterator[str]:
    with running(service_of(predictor, checkpoint)) as url:
        yield url


def random_picture(*size: int) -> Array:
    return RANDOM.integers(0, 256, (*size, 3), dtype=np.uint8)


def decoded(uri: str) -> Array:
    return pixels(base64.b64decode(uri.removeprefix("data:image/png;base64,")))


def test_all_tasks_are_drawn(url: str, predictor: Predictor) -> None:
    picture = random_picture(21, 34)
    response = httpx.post(f"{url}/predict", content=png(picture))
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert (answer["width"], answer["height"]) == (34, 21)
    assert np.array_equal(decoded(answer["input"]), picture)
    assert list(answer["pictures"]) == ["seg", "depth", "normals", "things", "room"]
    values, image = predictor(picture), predictor.prepare(predictor.picture_of(picture))[None]
    for name, uri in answer["pictures"].items():
        own = [values[name]] if isinstance(values[name], dict) else values[name][None]
        expected = np.array(to_picture(predictor.tasks[name].draw(own, image)[0]))
        assert np.array_equal(decoded(uri), expected), name


def test_a_picture_that_must_be_predicted_whole_says_so(url: str) -> None:
    response = httpx.post(f"{url}/predict", content=png(random_picture(100, 20)))
    assert response.status_code == 400
    assert error_of(response).startswith("the picture: 100 x 20 pixels are more than a tile of 64, and ")


def test_the_card_has_the_tasks_and_their_legends(url: str) -> None:
    card = httpx.get(f"{url}/card").json()
    assert (card["command"], card["has_file"], card["canvas"]) == ("predict", False, None)
    assert card["facts"]["task seg"] == "Segmentation of labels"
    assert card["facts"]["size"] == "any"
    assert list(card["legends"]["seg"]) == list(NAMES)
    assert card["legends"]["depth"] == {}
    assert card["legends"]["things"].keys() == {"small", "large"}
    assert all(len(color) == 7 and color.startswith("#") for color in card["legends"]["seg"].values())


def test_the_command_is_in_the_table() -> None:
    assert COMMANDS["serve"].target == "multitask.serve:serve"


def test_all_tasks_are_shown_beside_each_other(page: Page, url: str, tmp_path: Path) -> None:
    page.goto(url)
    expect(page.get_by_text("Drop a picture here")).to_be_visible()
    expect(page.get_by_role("toolbar")).to_be_hidden()
    (tmp_path / "bad.png").write_text("no picture")
    page.set_input_files("#file", tmp_path / "bad.png")
    expect(page.get_by_role("alert")).to_contain_text("not a picture in a format that can be read")
    expect(page.get_by_text("Drop a picture here")).to_be_visible()
    picture = random_picture(21, 34)
    (tmp_path / "a.png").write_bytes(png(picture))
    page.set_input_files("#file", tmp_path / "a.png")
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#status")).to_contain_text("Predicted in")
    expect(page.get_by_text("Drop a picture here")).to_be_hidden()
    expect(page.get_by_role("alert")).to_be_hidden()
    assert page.locator("figure .name").all_inner_texts() == ["Seg", "Depth", "Normals", "Things", "Room"]
    assert page.locator("figure", has_text="Seg").locator("li").all_inner_texts() == list(NAMES)
    expect(page.locator("figure", has_text="Depth").locator(".legend")).to_be_hidden()
    boxes = [each.bounding_box() for each in page.locator("figure").all()[:2]]
    assert boxes[0] and boxes[1] and boxes[0]["y"] == boxes[1]["y"]
    mark = page.locator("figure", has_text="Seg").locator("i").first
    assert mark.evaluate("mark => getComputedStyle(mark).backgroundColor").startswith("rgb(")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Download depth").click()
    saving.value.save_as(tmp_path / "depth.png")
    assert saving.value.suggested_filename == "depth.png"
    shown = page.locator("figure", has_text="Depth").locator(".after").get_attribute("src")
    assert shown is not None
    assert np.array_equal(pixels((tmp_path / "depth.png").read_bytes()), decoded(shown))
