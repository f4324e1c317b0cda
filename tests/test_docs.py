"""What the pages of docs/ say, done: snippets print what their comments promise, commands parse, the site builds."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch.testing import assert_close

import losses
import multitask.__main__
import pix2pix.__main__
from inference import write_picture
from losses.convention import Loss
from multitask import Depth, Detection, MultiTask, Normals, Segmentation, SmallEncoder
from pix2pix import PatchDiscriminator, Pix2Pix, Translator, UNetGenerator
from tests.multitask.scenes import write_scenes
from tests.training.programs import MULTITASK


def snippets(page: str) -> Iterator[tuple[str, str]]:
    """Yield each snippet of a page with the title that it stands under."""
    title = ""
    for found in re.finditer(r"^#+ ([^\n]*)$|```python\n(.*?)```", page, re.MULTILINE | re.DOTALL):
        if found[2] is None:
            title = found[1]
        else:
            yield title, found[2]


ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
TRAINED = "several-tasks"  # the page whose snippets train; they have tests of their own
EXPORTED = "export"  # the page whose snippets read exported files; they have a test of their own
SNIPPETS = [
    pytest.param(snippet, id=f"{page.stem}: {title}")
    for page in PAGES
    if page.stem not in (TRAINED, EXPORTED)
    for title, snippet in snippets(page.read_text())
]
TRAININGS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / f"{TRAINED}.md").read_text(), re.DOTALL)
EXPORTS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / f"{EXPORTED}.md").read_text(), re.DOTALL)
COMMANDS = [
    pytest.param(program, command.strip(), id=f"{page.stem}: {command.strip()}")
    for page in PAGES
    for program, command in re.findall(
        r"^    (?:python|torchrun .*) -m (pix2pix|multitask) (fit --config [^#\n]*)", page.read_text(), re.M
    )
]
MAIN = {"pix2pix": pix2pix.__main__.main, "multitask": multitask.__main__.main}


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_snippets(snippet: str) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(snippet, {})
    comments = re.findall(r"^(?!#).*print\(.*\)  # (.*)$", snippet, re.MULTILINE)
    promised = [value for comment in comments for value in re.split(r", then ", comment)]
    assert printed.getvalue().splitlines() == promised


def test_every_snippet_is_found() -> None:
    assert (
        len(SNIPPETS) + len(TRAININGS) + len(EXPORTS)
        == sum(page.read_text().count("```python\n") for page in PAGES)
        > 10
    )


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:.*is smaller than the logging interval", "ignore:You are using a custom batch sampler"
)
def test_training_several_tasks_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = (each for each in TRAININGS if "MultiTask(" in each)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(snippet, names)
    assert names["metrics"]["test/depth/abs"] < 2  # meters; the rooms are some eight meters deep
    assert names["model"].weighting.alpha == 0.5


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:.*is smaller than the logging interval", "ignore:You are using a custom batch sampler"
)
def test_a_task_in_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = (each for each in TRAININGS if "class LogDepth" in each)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_tasks.py").write_text(snippet)
    config = MULTITASK.config(write_scenes(tmp_path / "data"))
    config["model"]["tasks"]["depth"] = {"class_path": "my_tasks.LogDepth", "init_args": {"farthest": 5.0, "width": 8}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr(sys, "argv", ["multitask"])
    multitask.__main__.main(["fit", "--config", "mine.yaml"])
    (checkpoint,) = tmp_path.glob("runs/small/*/checkpoints/best.ckpt")
    model = MultiTask.load_from_checkpoint(checkpoint, weights_only=True).eval()
    assert type(model.tasks["depth"]).__name__ == "LogDepth"
    logarithm = model(torch.rand(1, 3, 16, 24))["depth"]
    assert_close(model.tasks["depth"].decode(logarithm), logarithm.exp())
    assert (logarithm.exp() - 3).abs().max() < 1  # meters, the mean depth, where it has started


def save_checkpoint(model: pl.LightningModule, file: str) -> None:
    trainer = pl.Trainer(logger=False, accelerator="cpu", enable_checkpointing=False)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(file)


def test_using_a_trained_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = (each for each in TRAININGS if "Predictor(" in each)
    monkeypatch.chdir(tmp_path)
    tasks = {"seg": Segmentation(3), "depth": Depth(), "normals": Normals(), "boxes": Detection(2)}
    save_checkpoint(MultiTask(SmallEncoder(width=4, blocks=0), tasks, channels=8), "best.ckpt")
    Path("photos").mkdir()
    for file in "kitchen.jpg", "bath.jpg", "photos/hall.jpg":
        Image.new("RGB", (30, 20)).save(file)
    names: dict[str, Any] = {}
    exec(snippet, names)
    shapes = {name: tuple(values.shape) for name, values in names["values"].items() if name != "boxes"}
    assert shapes == {"seg": (20, 30), "depth": (1, 20, 30), "normals": (3, 20, 30)}
    assert (names["report"].written, names["report"].failed) == (1, [])
    assert Path("predicted", "labels", "hall.png").is_file()


@pytest.mark.slow
def test_using_exported_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_checkpoint(Pix2Pix(UNetGenerator(base_channels=4, levels=3), PatchDiscriminator(layers=0)), "best.ckpt")
    save_checkpoint(MultiTask(SmallEncoder(width=4, blocks=0), {"boxes": Detection(2)}, channels=8), "rooms.ckpt")
    drawing = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    write_picture(Path("drawing.png"), drawing)
    MAIN["pix2pix"](["export", "best.ckpt", "mine.onnx"])
    MAIN["pix2pix"](["export", "best.ckpt", "shoes", "--format", "hub", "--license", "cc-by-4.0"])
    MAIN["multitask"](["export", "rooms.ckpt", "rooms.onnx"])
    onnx, detection, hub = EXPORTS

    exec(onnx, {})
    expected = Translator("best.ckpt", device="cpu")(drawing)
    assert np.abs(np.asarray(Image.open("colored.png")).astype(int) - expected).max() <= 1  # where it is rounded
    names: dict[str, Any] = {"images": np.zeros((1, 3, 64, 64), np.float32)}
    exec(detection, names)
    assert names["boxes"].shape == (len(names["best"]), 4)
    exec(hub, names)
    assert names["generator"].stride == 8


@pytest.mark.parametrize(("program", "command"), COMMANDS)
def test_commands_parse(
    program: str, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tutorial,) = re.findall(r"```yaml\n(name: shapes\n.*?)```", (ROOT / "docs" / "tutorial.md").read_text(), re.DOTALL)
    (tmp_path / "mine.yaml").write_text(tutorial)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [program])
    with pytest.raises(SystemExit) as stopped:
        MAIN[program]([*shlex.split(command), "--print_config"])
    assert stopped.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize(("code", "requeued"), [(138, True), (0, False), (1, False)])
def test_the_job_for_slurm_begins_goes_on_and_puts_itself_into_the_queue_again(
    code: int, requeued: bool, tmp_path: Path
) -> None:
    (script,) = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / "scaling.md").read_text(), re.DOTALL)
    slurm = f'srun() {{ echo "srun $*"; return {code}; }}\nscontrol() {{ echo "scontrol $*"; }}\n'  # in place of it

    def submit() -> list[str]:
        words = ["bash", "-c", slurm + script]
        environment = {**os.environ, "SLURM_JOB_ID": "77"}
        ran = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert ran.stderr == ""
        return ran.stdout.splitlines()

    options = "--name mine --trainer.num_nodes 2 --trainer.devices 4"
    queue = ["scontrol requeue 77"] if requeued else []
    assert submit() == [f"srun python -m pix2pix fit --config facades {options}", *queue]
    for name in "2026-01-01", "2026-01-02":
        (tmp_path / "runs" / "mine" / name / "checkpoints").mkdir(parents=True)
    last = "runs/mine/2026-01-02/checkpoints/last.ckpt"
    (tmp_path / last).touch()
    assert submit() == [f"srun python -m pix2pix fit --ckpt_path {last} {options}", *queue]


def test_the_table_of_losses_is_whole() -> None:
    table = (ROOT / "docs" / "losses.md").read_text().partition("[Choosing a loss]")[0]
    classes = [value for value in vars(losses).values() if isinstance(value, type) and issubclass(value, Loss)]
    assert {cls.__name__ for cls in classes} <= set(re.findall(r"`(\w+)`", table))


def test_the_reference_of_losses_is_whole() -> None:
    named = re.findall(r"^\.\. auto\w+:: (\w+)$", (ROOT / "docs" / "api" / "losses.rst").read_text(), re.MULTILINE)
    torchs = {name for name in losses.__all__ if getattr(losses, name).__module__.startswith("torch.")}
    assert set(named) == set(losses.__all__) - torchs
    assert len(named) == len(set(named))


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "docs", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    pages = {str(page.relative_to(tmp_path)): page.read_text() for page in tmp_path.rglob("*.html")}
    assert {f"{page.stem}.html" for page in PAGES} < pages.keys()
    assert "<math" in pages["api/losses.html"]
    for name, page in pages.items():  # it reads offline: no script, style, font or picture from elsewhere
        assert not re.search(r"<(?:script|img|iframe)[^>]* src=\"(?:https?:)?//", page), name
        assert not re.search(
            r"<link[^>]* rel=\"(?:stylesheet|preload|preconnect)\"[^>]* href=\"(?:https?:)?//", page
        ), name


def options_of(config: object, prefix: str = "") -> set[str]:
    """The names of all keys of a configuration, as the command line takes them: without ``init_args``."""
    if not isinstance(config, dict):
        return {prefix.lstrip(".")}
    inner = (options_of(value, prefix if key == "init_args" else f"{prefix}.{key}") for key, value in config.items())
    return {prefix.lstrip(".")}.union(*inner)


def test_options_that_the_pages_name_are_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known: set[str] = set()
    for program, words in (
        ("pix2pix", "--config facades"),
        ("multitask", "--config rooms --model.weighting losses.GradNorm"),
        ("multitask", "--config rooms --model.weighting losses.AggregatedGradients"),
    ):
        monkeypatch.setattr(sys, "argv", [program])
        with pytest.raises(SystemExit):
            MAIN[program](["fit", *words.split(), "--print_config"])
        known |= options_of(yaml.safe_load(capsys.readouterr().out))
    for page in (ROOT / "README.md", *PAGES):
        for option in re.findall(r"`(?:--)?((?:data|model|samples|trainer)\.[\w.]+)[`:]", page.read_text()):
            assert option.replace(".init_args", "") in known, f"{page.name}: {option}"
