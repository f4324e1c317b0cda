"""The page of a translator: the files of `translate` over HTTP, and a browser that draws."""

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile
from playwright.sync_api import Page, expect
from torch import nn

from inference import InferenceMode, open_picture, write_picture
from inference.page import Limits
from inference.pictures import Array, PictureFormat, palette
from pix2pix import PatchDiscriminator, Pix2Pix, Translator, UNetGenerator
from pix2pix.__main__ import main
from pix2pix.data.formats import PairFormats
from pix2pix.serve import service_of
from pix2pix.trained import Loaded
from tests.inference.page.running import pixels, png, running
from tests.pix2pix.training import quiet_trainer

ROOT = Path(__file__).parents[2]
RANDOM = np.random.default_rng(0)
SIDE = 32  # of the sheet


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run that was trained on pictures of 32 x 32; its output differs from place to place."""
    run = tmp_path_factory.mktemp("runs") / "birds" / "2026-01-01"
    model = Pix2Pix(UNetGenerator(base_channels=4, levels=3), PatchDiscriminator(base_channels=4, layers=1))
    for weight in model.generator.parameters():
        if weight.dim() == 4:
            nn.init.normal_(weight, std=0.2)
    trainer = quiet_trainer()
    trainer.strategy.connect(model)
    trainer.save_checkpoint(run / "checkpoints" / "best.ckpt")
    (run / "config.yaml").write_text(f"data:\n  root: /home/me/birds\n  crop_size: {SIDE}\n")
    return run / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def url(checkpoint: Path) -> Iterator[str]:
    with running(service_of(Translator(checkpoint, device="cpu"), checkpoint), Limits(bytes=100_000)) as url:
        yield url


def random_picture(*size: int) -> Array:
    return RANDOM.integers(0, 256, (*size, 3), dtype=np.uint8)


def of_formats(checkpoint: Path, input: PictureFormat, target: PictureFormat, **options: Any) -> Translator:
    """A translator of other pictures than those of 8 bits."""
    channels = input.labels or input.channels
    generator = UNetGenerator(channels, target.channels, base_channels=4, levels=3).eval()
    loaded = Loaded(generator, PairFormats(input, target, **options), InferenceMode(), False)
    return Translator(loaded, device="cpu")


# --- files


def test_a_translation_is_the_file_that_translate_writes(url: str, checkpoint: Path, tmp_path: Path) -> None:
    for name, picture in ("a", random_picture(SIDE, SIDE)), ("b", random_picture(17, 45)):
        write_picture(tmp_path / f"{name}.png", picture)
        main(["translate", str(checkpoint), str(tmp_path / f"{name}.png"), str(tmp_path / "out"), "--device", "cpu"])
        response = httpx.post(f"{url}/translate", content=(tmp_path / f"{name}.png").read_bytes())
        assert response.content == (tmp_path / "out" / f"{name}.png").read_bytes()


def test_what_png_does_not_hold_is_a_tiff(checkpoint: Path, tmp_path: Path) -> None:
    many = PictureFormat(5, "float32", (-2.0, 3.0))
    translator = of_formats(checkpoint, many, many)
    array = RANDOM.random((16, 24, 5)).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", planarconfig="contig")
    with running(service_of(translator, checkpoint)) as url:
        body = (tmp_path / "a.tif").read_bytes()
        response = httpx.post(f"{url}/translate", content=body)
        assert response.headers["content-type"] == "image/tiff"
        drawn = httpx.post(f"{url}/translate", content=body, headers={"Accept": "application/json"}).json()
    (tmp_path / "b.tif").write_bytes(response.content)
    assert np.array_equal(open_picture(tmp_path / "b.tif").read(), translator(array))
    assert drawn["pictures"]["output"].startswith("data:image/png")  # the first three channels


def test_sixteen_bits_stay_sixteen_bits(checkpoint: Path, tmp_path: Path) -> None:
    deep = PictureFormat(1, "uint16")
    translator = of_formats(checkpoint, deep, deep)
    array = RANDOM.integers(0, 65536, (16, 16, 1), dtype=np.uint16)
    write_picture(tmp_path / "a.png", array)
    with running(service_of(translator, checkpoint)) as url:
        response = httpx.post(f"{url}/translate", content=(tmp_path / "a.png").read_bytes())
    (tmp_path / "b.png").write_bytes(response.content)
    assert np.array_equal(open_picture(tmp_path / "b.png").read(), translator(array))


def test_twenty_clients_at_once_get_the_translations_of_their_pictures(url: str, checkpoint: Path) -> None:
    pictures = [random_picture(16, 16 + 8 * (index % 2)) for index in range(20)]
    alone = [Translator(checkpoint, device="cpu")(picture) for picture in pictures]
    with ThreadPoolExecutor(20) as clients:
        asked = [clients.submit(httpx.post, f"{url}/translate", content=png(each), timeout=60) for each in pictures]
    for answer, expected in zip(asked, alone, strict=True):
        found = pixels(answer.result().content).astype(int)
        assert np.abs(found - expected).max() <= 1  # in a batch the last bit of a float may round otherwise
    assert httpx.get(f"{url}/health").json()["waiting"] == 0


# --- how it is shown


def test_inputs_are_drawn_as_the_generator_sees_them(checkpoint: Path) -> None:
    labels = service_of(of_formats(checkpoint, PictureFormat(3, labels=3), PictureFormat()), checkpoint)
    classes = np.array([[[0], [1]], [[2], [0]]], np.uint8)
    picture = labels.predictor.picture_of(classes)
    drawn = labels.draw(picture, np.full((2, 2, 3), 7, np.uint8))
    colors = (255 * palette(3)).round().numpy()
    assert np.array_equal(np.array(drawn.input), colors[classes[..., 0]])
    assert np.array_equal(np.array(drawn.pictures["output"]), np.full((2, 2, 3), 7))
    window = service_of(of_formats(checkpoint, PictureFormat(1, "uint16", (0.0, 1000.0)), PictureFormat()), checkpoint)
    dark = window.predictor.picture_of(np.full((1, 1), 500, np.uint16))
    assert np.array(window.draw(dark, np.zeros((1, 1, 3), np.uint8)).input).tolist() == [[[128] * 3]]


def test_a_sheet_is_there_where_inputs_can_be_drawn(checkpoint: Path) -> None:
    sheets = {
        (SIDE, SIDE): PictureFormat(),
        None: PictureFormat(1, "uint16", (0.0, 1000.0)),
    }
    for canvas, format in sheets.items():
        assert service_of(of_formats(checkpoint, format, PictureFormat()), checkpoint).card.canvas == canvas
    alone = checkpoint.parents[3] / "alone.ckpt"
    alone.write_bytes(checkpoint.read_bytes())
    assert service_of(Translator(alone, device="cpu"), alone).card.canvas == (256, 256)


def test_the_card_says_what_the_model_is(url: str) -> None:
    card = httpx.get(f"{url}/card").json()
    assert (card["title"], card["command"], card["canvas"]) == ("birds", "translate", [SIDE, SIDE])
    assert card["configuration"] == f"data:\n  root: birds\n  crop_size: {SIDE}\n"
    facts = card["facts"]
    assert facts["input"] == facts["output"] == "3 x uint8, 0 to 255"
    assert facts["size"] == f"any; trained on {SIDE} x {SIDE}"
    assert facts["inference"] == "batch norm running, dropout off"
    assert facts["device"] == "cpu, precision 32"
    assert facts["file"].startswith("best.ckpt, ")
    assert len(facts["SHA-256"]) == 64


def test_clients_do_not_change_one_anothers_results(checkpoint: Path) -> None:
    translator = Translator(checkpoint, device="cpu", inference=InferenceMode("batch"))
    service_of(translator, checkpoint)
    assert translator.batch_size == 1


def test_stacks_of_slices_are_refused(checkpoint: Path) -> None:
    translator = of_formats(checkpoint, PictureFormat(3), PictureFormat(1), neighbors=1)
    with pytest.raises(ValueError, match="translates stacks of slices"):
        service_of(translator, checkpoint)


# --- the command


def test_a_missing_package_is_one_line(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "uvicorn"]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith(("inference.page", "pix2pix.serve"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(SystemExit) as stopped:
        main(["serve", str(checkpoint)])
    assert str(stopped.value.code).startswith(
        "pix2pix: error: the page needs the package uvicorn: pip install 'pix2pix-multitask[serve]'"
    )


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["--port", "70000"], "port must be from 0 to 65535; got 70000", 1),
        (["--limits.pixels", "0"], "limits.pixels must be at least 1; got 0", 1),
        (["--samples", "3"], "samples", 2),
    ],
)
def test_bad_options_are_one_line(
    checkpoint: Path, words: Sequence[str], message: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["serve", str(checkpoint), "--device", "cpu", *words])
    said = stopped.value.code if isinstance(stopped.value.code, str) else capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert (1 if isinstance(stopped.value.code, str) else stopped.value.code) == code


@pytest.mark.slow
def test_ctrl_c_ends_it_with_one_line(checkpoint: Path) -> None:
    command = [sys.executable, "-m", "pix2pix", "serve", str(checkpoint), "--port", "0", "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # whatever started the tests
    with subprocess.Popen(command, env=environment, **pipes) as served:
        assert served.stdout is not None
        told = [next(served.stdout).strip() for _ in range(4)]
        url = told[-1].removesuffix(" (Ctrl-C ends it)")
        with httpx.Client() as client:
            assert client.get(f"{url}/health").json()["status"] == "ok"
            assert client.post(f"{url}/translate", content=png(random_picture(8, 8))).status_code == 200
            served.send_signal(signal.SIGINT)
            out, err = served.communicate(timeout=60)
    assert (out, err, served.returncode) == ("", "pix2pix: stopped\n", 130)


# --- in a browser


@pytest.fixture
def drawing(page: Page, url: str) -> Page:
    page.goto(url)
    expect(page.get_by_role("toolbar")).to_be_visible()
    return page


def draw_line(page: Page, *, top: float = 0.3) -> None:
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    x, y = box["x"], box["y"] + top * box["height"]
    page.mouse.move(x + 0.2 * box["width"], y)
    page.mouse.down()
    page.mouse.move(x + 0.8 * box["width"], y, steps=4)
    page.mouse.up()


def output_of(page: Page) -> str:
    """The output's picture, once it is that of what is on the sheet."""
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")
    expect(page.get_by_role("status")).to_contain_text("Translated in")
    source = page.locator("figure .after").get_attribute("src")
    assert source is not None
    return source


def sheet_of(page: Page) -> Array:
    """The pixels of the sheet."""
    return pixels(data_of(page.locator("#canvas").evaluate("canvas => canvas.toDataURL()")))[..., :3]


def test_what_is_drawn_is_translated_and_undone(drawing: Page, checkpoint: Path) -> None:
    assert sheet_of(drawing).shape == (SIDE, SIDE, 3)
    expect(drawing.get_by_role("button", name="Undo")).to_be_disabled()
    drawing.get_by_label("Width").fill("4")
    draw_line(drawing)
    first = output_of(drawing)
    sheet = sheet_of(drawing)
    assert sheet[round(0.3 * SIDE), SIDE // 2].tolist() == [0, 0, 0]  # black, in the middle of the line
    assert sheet[-1, -1].tolist() == [255, 255, 255]
    shown = pixels(data_of(first))
    assert np.array_equal(shown, Translator(checkpoint, device="cpu")(sheet))

    drawing.get_by_role("button", name="Red", exact=True).click()
    draw_line(drawing, top=0.7)
    second = output_of(drawing)
    assert second != first
    assert sheet_of(drawing)[round(0.7 * SIDE), SIDE // 2].tolist() == [0xEA, 0x3B, 0x3B]

    drawing.get_by_role("button", name="Undo").click()
    assert output_of(drawing) == first
    assert np.array_equal(sheet_of(drawing), sheet)
    drawing.keyboard.press("Control+Shift+Z")
    assert output_of(drawing) == second
    drawing.keyboard.press("Control+Z")
    assert output_of(drawing) == first
    drawing.get_by_role("button", name="Eraser").click()
    draw_line(drawing)
    output_of(drawing)
    assert (sheet_of(drawing)[round(0.3 * SIDE), SIDE // 2] > 250).all()
    drawing.get_by_role("button", name="Clear").click()
    output_of(drawing)
    assert (sheet_of(drawing) == 255).all()


def data_of(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])


def test_the_sheet_is_drawn_on_with_the_keyboard(drawing: Page) -> None:
    sheet = drawing.get_by_label("Sheet to draw on")
    sheet.focus()
    expect(sheet).to_be_focused()
    drawing.keyboard.press("Space")
    for _ in range(20):
        drawing.keyboard.press("ArrowRight")
    drawing.keyboard.press("Space")
    output_of(drawing)
    dark = (sheet_of(drawing) < 200).all(2)
    assert dark.any(0).sum() >= 9  # columns: 20 steps of a 64th of 32 pixels
    assert dark.any(1).sum() <= 2  # rows


def test_a_file_is_chosen_and_a_translation_saved(drawing: Page, checkpoint: Path, tmp_path: Path) -> None:
    picture = random_picture(20, 40)
    write_picture(tmp_path / "a.png", picture)
    drawing.set_input_files("#file", tmp_path / "a.png")
    output_of(drawing)
    assert np.array_equal(sheet_of(drawing), picture)
    with drawing.expect_download() as saving:
        drawing.get_by_role("button", name="Download").click()
    saving.value.save_as(tmp_path / "b.png")
    assert saving.value.suggested_filename == "output.png"
    expected = Translator(checkpoint, device="cpu")(picture)
    assert np.array_equal(open_picture(tmp_path / "b.png").read(), expected)
    draw_line(drawing)  # on the picture
    output_of(drawing)
    assert not np.array_equal(sheet_of(drawing), picture)
    drawing.get_by_role("button", name="Undo").click()
    drawing.get_by_role("button", name="Undo").click()
    output_of(drawing)
    assert sheet_of(drawing).shape == (SIDE, SIDE, 3)


def test_a_file_that_browsers_cannot_show_is_shown_as_the_model_sees_it(drawing: Page, tmp_path: Path) -> None:
    picture = random_picture(20, 40)
    write_picture(tmp_path / "a.tif", picture)
    drawing.set_input_files("#file", tmp_path / "a.tif")
    output_of(drawing)
    assert np.array_equal(sheet_of(drawing), picture)


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(drawing: Page, event: str) -> None:
    picture = random_picture(20, 40)
    drawing.evaluate(
        """([event, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "a.png", { type: "image/png" }));
            const options = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(event === "drop"
                ? new DragEvent("drop", { ...options, dataTransfer: data })
                : new ClipboardEvent("paste", { ...options, clipboardData: data }));
        }""",
        [event, list(png(picture))],
    )
    output_of(drawing)
    assert np.array_equal(sheet_of(drawing), picture)


def test_errors_are_shown_and_go_away(drawing: Page, tmp_path: Path) -> None:
    draw_line(drawing)
    output_of(drawing)
    sheet = sheet_of(drawing)
    (tmp_path / "a.png").write_text("no picture")
    drawing.set_input_files("#file", tmp_path / "a.png")
    problem = drawing.get_by_role("alert")
    expect(problem).to_have_text("The picture: not a picture in a format that can be read; remove or replace it")
    (tmp_path / "b.tif").write_bytes(bytes(100_001))
    drawing.set_input_files("#file", tmp_path / "b.tif")
    expect(problem).to_have_text("The picture: more than 0.1 MB; send a smaller file")
    assert np.array_equal(sheet_of(drawing), sheet)  # what it was before
    expect(drawing.get_by_role("button", name="Redo")).to_be_disabled()
    drawing.get_by_role("button", name="Clear").click()
    output_of(drawing)
    expect(problem).to_be_hidden()


def test_input_and_output_are_compared_with_the_keyboard_and_the_pointer(drawing: Page) -> None:
    draw_line(drawing)
    output_of(drawing)
    slider = drawing.get_by_label("Show the input")
    slider.focus()
    for _ in range(3):
        drawing.keyboard.press("ArrowRight")
    assert slider.input_value() == "3"
    visible = "getComputedStyle(document.querySelector('figure .before')).clipPath"
    assert drawing.evaluate(visible) == "inset(0px 97% 0px 0px)"
    drawing.keyboard.press("End")
    assert drawing.evaluate(visible) == "inset(0px 0% 0px 0px)"
    drawing.locator(".compare").click()
    assert slider.input_value() == "50"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_the_colors_of_the_system_and_fits_a_phone(page: Page, url: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 640})
    page.goto(url)
    expect(page.get_by_role("toolbar")).to_be_visible()
    draw_line(page)
    output_of(page)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = np.mean([int(part) for part in ground.removeprefix("rgb(").removesuffix(")").split(",")])
    assert (brightness < 60) == (scheme == "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    corner = pixels(page.screenshot())[2, 2, :3]
    assert abs(corner.mean() - brightness) < 2


def test_the_card_is_on_the_page(drawing: Page) -> None:
    drawing.get_by_text("About this model").click()
    expect(drawing.get_by_text("batch norm running, dropout off")).to_be_visible()
    expect(drawing.locator("#configuration-text")).to_contain_text("crop_size: 32")
    expect(drawing.locator("#curl")).to_contain_text("curl --data-binary @photo.jpg http://127.0.0.1")
