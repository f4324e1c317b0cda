"""The galleries of both applications' runs, from the command line; the page itself is tested in inference/gallery."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.training.programs import PROGRAMS, SILENCED, Program, the_run
from training.gallery import checkpoint_of

pytestmark = SILENCED


def data_in(page: Path) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text())
    data: dict[str, Any] = json.loads(text)
    return data


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


COLUMNS = {
    "pix2pix": ["input", "output", "target", "difference"],
    "multitask": [
        *("image", "seg target", "depth target", "boxes target"),
        *("seg predicted", "depth predicted", "boxes predicted"),
    ],
}


def test_a_run_its_checkpoint_and_what_goes_wrong(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    program.main(["fit", "--config", "small.yaml", "--trainer.max_epochs", "1"])
    run = the_run()
    capsys.readouterr()
    program.main(["gallery", str(run)])
    page = run.absolute() / "gallery" / "index.html"
    assert capsys.readouterr().out == f"gallery: {page}\n"
    found = data_in(page)
    assert [column["name"] for column in found["columns"]] == COLUMNS[program.name]
    assert [item["name"] for item in found["items"]] == ["test00", "test01", "test02"]
    assert found["title"] == f"small {run.name}"
    assert found["facts"] == ["3 samples of test; best.ckpt, after 5 batches"]
    assert found["configuration"] == (run / "config.yaml").read_text()
    assert found["curves"].startswith("data:image/png;base64,")
    assert found["command"] == f"python -m {program.name} gallery {run} --split test"
    for column, (_, link, size) in zip(COLUMNS[program.name], found["items"][1]["pictures"], strict=True):
        with Image.open(page.parent / link.replace("%20", " ")) as picture:
            assert picture.size == tuple(size) == ((16, 16) if program.name == "pix2pix" else (24, 16)), column

    # One road: what fit has measured on the test samples, in batches of two.
    measured, shown = rows(run / "pictures.csv"), rows(page.parent / "pictures.csv")
    assert shown[0].keys() == measured[0].keys()
    for one, other in zip(measured, shown, strict=True):
        assert one.pop("name") == other.pop("name")
        assert {k: float(v) for k, v in one.items()} == {k: pytest.approx(float(v), rel=1e-4) for k, v in other.items()}
    assert [metric["name"] for metric in found["metrics"]] == list(shown[0])

    shutil.move("data", "moved")
    shutil.rmtree("moved/test")
    last = f"{run}/checkpoints/last.ckpt"
    program.main(["gallery", last, "--root", "moved", "--out", "elsewhere"])
    assert [row["name"] for row in rows(Path("elsewhere/pictures.csv"))] == ["val00", "val01", "val02"]
    found = data_in(Path("elsewhere/index.html"))
    assert found["facts"] == ["3 samples of val; last.ckpt, after 5 batches"]
    assert found["command"].endswith(" --split val --root moved --out elsewhere")

    for words, message in (
        ([last, "--root", "moved", "--out", "elsewhere"], "elsewhere/index.html: exists already; choose another place"),
        ([last, "--root", "moved", "--split", "test", "--out", "new"], "moved/test"),
        (["absent"], "absent: no such file or folder"),
        (["small.yaml"], "small.yaml: is not in the folder of its run"),
    ):
        said, code = program.fails(capsys, "gallery", *words)
        assert (message in said, code) == (True, 1), said
    program.main(["gallery", last, "--root", "moved", "--out", "elsewhere", "--overwrite"])
    other = PROGRAMS[{"pix2pix": "multitask", "multitask": "pix2pix"}[program.name]]
    said, code = other.fails(capsys, "gallery", str(run), "--out", "new")
    assert (f"best.ckpt: a checkpoint of another model than {other.name}" in said, code) == (True, 1)


def test_the_best_checkpoint_of_a_run_is_taken_or_else_the_last(tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    with pytest.raises(ValueError, match=r"no run, as it has neither checkpoints/best.ckpt"):
        checkpoint_of(tmp_path)
    for name in "last.ckpt", "best.ckpt":
        (checkpoints / name).touch()
        assert checkpoint_of(tmp_path) == checkpoints / name
    assert checkpoint_of(checkpoints / "last.ckpt") == checkpoints / "last.ckpt"


def test_a_configuration_that_does_not_fit_is_one_line(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    run = Path("runs", "broken", "now")
    (run / "checkpoints").mkdir(parents=True)
    shutil.copy(Path(__file__).parents[1] / program.name / "before_0_2.ckpt", run / "checkpoints" / "best.ckpt")
    (run / "config.yaml").write_text(Path("small.yaml").read_text().replace("batch_size", "batch_sise"))
    said, _ = program.fails(capsys, "gallery", str(run))
    assert "batch_sise" in said
